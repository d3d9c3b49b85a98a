//! Where to go: the body of MIGRATE_BEGIN, MIGRATE_SWITCH_HOST and MIGRATE_BEGIN_SEAMLESS (spec/spice.md 4.5).

use super::ids::Port;
use super::message::Body;
use crate::error::{DecodeError, EncodeError, to_u64};
use crate::wire::{Encode, Payload, Writer, fixed, put};
use crate::wire::{fits_u32, length_u32};
use bytes::{BufMut, Bytes, BytesMut};

const FIXED_PART_SIZE: usize = 2 /* port */ + 2 /* tls_port */ + 4 /* host_size */ + 4 /* host_data */ + 4 /* cert_subject_size */ + 4 /* cert_subject_data */;
const SEAMLESS_FIXED_PART_SIZE: usize = FIXED_PART_SIZE + 4 /* src_mig_version */;

/// A destination: types 101 (MIGRATE_BEGIN) and 111 (MIGRATE_SWITCH_HOST), server to client.
///
/// On the wire: u16 port, u16 TLS port, u32 size and u32 offset of the host, u32 size and u32 offset of the
/// certificate subject (0 and 0 if there is none), then the strings with their NULs. Offsets count from the
/// first byte of the body. We send the host directly behind the fixed part and the subject behind the host;
/// on receipt the strings may stand anywhere in the body, and [`encode`](Encode::encode) repeats exactly
/// what came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DstInfo<B = Bytes> {
    port: Port,
    tls_port: Port,
    /// As on the wire: with the NUL, if there was one.
    host: B,
    cert_subject: Option<B>,
    /// The whole body, if the strings do not stand where we would put them.
    verbatim: Option<B>,
}

impl DstInfo {
    /// A destination as we send it: an absent port is 0, the strings get their NULs.
    ///
    /// # Errors
    /// There is no port at all, `host` is empty, or a string holds a NUL or is too long.
    pub fn new(host: &str, port: Port, tls_port: Port, cert_subject: Option<&str>) -> Result<Self, EncodeError> {
        if host.is_empty() {
            return Err(EncodeError::Invalid { message: "DstInfo", field: "host", reason: "must not be empty" });
        }
        if port.get().is_none() && tls_port.get().is_none() {
            return Err(EncodeError::Invalid {
                message: "DstInfo",
                field: "port",
                reason: "one of the ports is needed",
            });
        }
        Ok(Self {
            port: port.normalized(),
            tls_port: tls_port.normalized(),
            host: c_string("host", host)?,
            cert_subject: cert_subject.filter(|s| !s.is_empty()).map(|s| c_string("cert_subject", s)).transpose()?,
            verbatim: None,
        })
    }
}

/// The bytes of a string with its NUL.
fn c_string(field: &'static str, text: &str) -> Result<Bytes, EncodeError> {
    if text.bytes().any(|byte| byte == 0) {
        return Err(EncodeError::Invalid { message: "DstInfo", field, reason: "must not hold a NUL" });
    }
    fits_u32("DstInfo", field, text.len().saturating_add(1))?;
    let mut bytes = BytesMut::with_capacity(text.len().saturating_add(1));
    bytes.put_slice(text.as_bytes());
    bytes.put_u8(0);
    Ok(bytes.freeze())
}

/// A string as its reader takes it: up to the first NUL.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

impl<B> DstInfo<B> {
    /// The port without TLS.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.port
    }

    /// The port with TLS.
    #[doc(alias = "sport")]
    #[must_use]
    pub const fn tls_port(&self) -> Port {
        self.tls_port
    }

    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> DstInfo<C> {
        DstInfo {
            port: self.port,
            tls_port: self.tls_port,
            host: convert(self.host),
            cert_subject: self.cert_subject.map(&mut *convert),
            verbatim: self.verbatim.map(convert),
        }
    }

    /// The same destination with the strings where we put them and an absent port as 0.
    pub(crate) fn canonical(self) -> Self {
        Self { port: self.port.normalized(), tls_port: self.tls_port.normalized(), verbatim: None, ..self }
    }
}

impl<B: Payload> DstInfo<B> {
    /// The host's name or address, without NUL. Never empty in a decoded message.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        until_nul(self.host.as_ref())
    }

    /// The subject that the server's certificate must have, without NUL; `None` means that the host's
    /// name is to be verified instead.
    #[must_use]
    pub fn cert_subject(&self) -> Option<&[u8]> {
        self.cert_subject.as_ref().map(|subject| until_nul(subject.as_ref())).filter(|subject| !subject.is_empty())
    }

    fn strings_len(&self) -> usize {
        let subject = self.cert_subject.as_ref().map_or(0, |subject| subject.as_ref().len());
        self.host.as_ref().len().saturating_add(subject)
    }

    #[inline(always)]
    fn write_fixed(&self, fixed_part: usize, writer: &mut Writer<'_>) {
        let host_size = length_u32(self.host.as_ref().len());
        let host_data = length_u32(fixed_part);
        let (cert_subject_size, cert_subject_data) = match &self.cert_subject {
            Some(subject) => (length_u32(subject.as_ref().len()), host_data.saturating_add(host_size)),
            None => (0, 0),
        };
        put!(writer, {
            port: u16 = self.port.wire(),
            tls_port: u16 = self.tls_port.wire(),
            host_size: u32 = host_size,
            host_data: u32 = host_data,
            cert_subject_size: u32 = cert_subject_size,
            cert_subject_data: u32 = cert_subject_data,
        });
    }

    #[inline(always)]
    fn write_strings(&self, writer: &mut Writer<'_>) {
        writer.put(self.host.as_ref());
        if let Some(subject) = &self.cert_subject {
            writer.put(subject.as_ref());
        }
    }
}

/// Parses a destination whose fixed part takes `fixed_part` bytes; what is behind the strings is handed back.
#[inline(always)]
fn parse_dst<'a>(
    message: &'static str,
    fixed_part: usize,
    body: &'a [u8],
) -> Result<(DstInfo<&'a [u8]>, &'a [u8]), DecodeError> {
    let (_, (port, tls_port, host_size, host_data, cert_subject_size, cert_subject_data)) = fixed!(message, body, {
        port: u16, tls_port: u16, host_size: u32, host_data: u32, cert_subject_size: u32, cert_subject_data: u32
    });
    let (host, subject) = ((host_data, host_size), (cert_subject_data, cert_subject_size));
    let names_host = |bytes: &&[u8]| !is_empty_string(host_data, bytes);
    // No error here has a reason: so all of this stays in registers.
    let (Some(host), Some(subject)) = (pointer(body, host).filter(names_host), pointer(body, subject)) else {
        return Err(explain(message, body, host, subject));
    };
    // A null offset means no subject, whatever its size says; the real client checks the size all the same.
    let cert_subject = (cert_subject_data != 0).then_some(subject);

    let host_end = host_data.wrapping_add(host_size);
    let host_in_place = length_u32(fixed_part) == host_data;
    let (subject_in_place, end) = match cert_subject {
        Some(_) => (cert_subject_data == host_end, cert_subject_data.wrapping_add(cert_subject_size)),
        None => (cert_subject_size == 0, host_end),
    };
    let mut dst = DstInfo {
        port: Port::from_wire(port),
        tls_port: Port::from_wire(tls_port),
        host,
        cert_subject,
        verbatim: None,
    };
    let rest = usize::try_from(end).ok().and_then(|end| body.get(end..)).unwrap_or_default();
    if host_in_place && subject_in_place {
        return Ok((dst, rest));
    }
    dst.verbatim = Some(body);
    Ok((dst, &[]))
}

/// The bytes that an (offset, size) pair points at, checked without overflow.
#[inline]
fn pointer(body: &[u8], (offset, size): (u32, u32)) -> Option<&[u8]> {
    let end = u64::from(offset).saturating_add(u64::from(size));
    body.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
}

/// Whether what an offset points at is no string, or an empty one.
#[inline]
fn is_empty_string(offset: u32, bytes: &[u8]) -> bool {
    offset == 0 || matches!(bytes.first(), None | Some(0))
}

/// What is wrong with the (offset, size) pairs of a body that cannot be read.
#[cold]
#[inline(never)]
fn explain(message: &'static str, body: &[u8], host: (u32, u32), subject: (u32, u32)) -> DecodeError {
    let outside = |field, (offset, size): (u32, u32)| {
        let end = u64::from(offset).saturating_add(u64::from(size));
        DecodeError::invalid(message, field, "offset and size must lie within the body", end)
    };
    let error = match pointer(body, host) {
        None => outside("host", host),
        Some(bytes) if is_empty_string(host.0, bytes) => {
            DecodeError::invalid(message, "host", "must not be null or empty", u64::from(host.0))
        }
        Some(_) => outside("cert_subject", subject),
    };
    explain_old_layout(message, body, error)
}

/// Says so if a body that cannot be read has one of the layouts of old releases (spec/spice.md 4.7).
fn explain_old_layout(message: &'static str, body: &[u8], error: DecodeError) -> DecodeError {
    let word = |at: usize| {
        let bytes = body.get(at..at.saturating_add(4))?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(bytes)))
    };
    let (Some(first), Some(second)) = (word(4), word(8)) else { return error };
    let fits = |offset: u64, size: u64| size > 0 && offset.saturating_add(size) <= to_u64(body.len());
    // The host stands where today's layout has it, so that this is no old one.
    if matches!(second, 20 | 24) && fits(second, first) {
        return error;
    }
    // Major 1: the offset stood before the size; fixed parts of 12, 20 and 22 bytes.
    if matches!(first, 12 | 20 | 22) && fits(first, second) {
        return DecodeError::unsupported(message, "layout", "the layout of protocol major 1", 1);
    }
    // Major 2 until September 2011: a public key (u16 type, u32 size, u32 offset) in place of the subject.
    if second == 22 && fits(second, first) {
        return DecodeError::unsupported(message, "layout", "the layout with a public key, before release 0.8.2", 22);
    }
    error
}

impl<'a> Body<'a> for DstInfo<&'a [u8]> {
    #[inline(always)]
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        parse_dst("DstInfo", FIXED_PART_SIZE, body)
    }
}

impl<B: Payload> Encode for DstInfo<B> {
    #[inline]
    fn encoded_len(&self) -> usize {
        match &self.verbatim {
            Some(body) => body.as_ref().len(),
            None => self.strings_len().saturating_add(FIXED_PART_SIZE),
        }
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("DstInfo", "host", self.encoded_len())
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        if let Some(body) = &self.verbatim {
            return writer.put(body.as_ref());
        }
        self.write_fixed(FIXED_PART_SIZE, writer);
        self.write_strings(writer);
    }
}

/// A destination to be reached seamlessly, with the source's migration version. Type 116, server to client.
///
/// On the wire: the fixed part of [`DstInfo`], u32 version, then the strings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MigrateBeginSeamless<B = Bytes> {
    dst: DstInfo<B>,
    src_mig_version: u32,
}

impl<B> MigrateBeginSeamless<B> {
    /// `dst`, to be reached from a source with migration version `src_mig_version`.
    #[must_use]
    pub fn new(dst: DstInfo<B>, src_mig_version: u32) -> Self {
        Self { dst: dst.canonical(), src_mig_version }
    }

    /// The source's migration version, to be repeated to the target.
    #[must_use]
    pub const fn src_mig_version(&self) -> u32 {
        self.src_mig_version
    }

    /// Where to go.
    #[must_use]
    pub const fn dst(&self) -> &DstInfo<B> {
        &self.dst
    }

    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> MigrateBeginSeamless<C> {
        MigrateBeginSeamless { dst: self.dst.map(convert), src_mig_version: self.src_mig_version }
    }
}

impl<'a> Body<'a> for MigrateBeginSeamless<&'a [u8]> {
    #[inline(always)]
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        const MESSAGE: &str = "MigrateBeginSeamless";
        let (_, (.., src_mig_version)) = fixed!(MESSAGE, body, {
            port: u16, tls_port: u16, host_size: u32, host_data: u32, cert_subject_size: u32, cert_subject_data: u32, src_mig_version: u32
        });
        let (dst, rest) = parse_dst(MESSAGE, SEAMLESS_FIXED_PART_SIZE, body)?;
        Ok((Self { dst, src_mig_version }, rest))
    }
}

impl<B: Payload> Encode for MigrateBeginSeamless<B> {
    #[inline]
    fn encoded_len(&self) -> usize {
        match &self.dst.verbatim {
            Some(body) => body.as_ref().len(),
            None => self.dst.strings_len().saturating_add(SEAMLESS_FIXED_PART_SIZE),
        }
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        fits_u32("DstInfo", "host", self.encoded_len())
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        if let Some(body) = &self.dst.verbatim {
            return writer.put(body.as_ref());
        }
        self.dst.write_fixed(SEAMLESS_FIXED_PART_SIZE, writer);
        put!(writer, { src_mig_version: u32 = self.src_mig_version });
        self.dst.write_strings(writer);
    }
}

//! The floor: `split_first_chunk` and fixed slices, written for these two messages and nothing else.

use super::{Begin, Ping};
use bytes::Bytes;

/// A MIGRATE_BEGIN_SEAMLESS as a cursor reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BeginView<'a> {
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) host: &'a [u8],
    pub(crate) cert_subject: Option<&'a [u8]>,
    pub(crate) version: u32,
}

/// A PING as a cursor reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PingView<'a> {
    pub(crate) id: u32,
    pub(crate) timestamp: u64,
    pub(crate) padding: &'a [u8],
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    #[inline(always)]
    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    #[inline(always)]
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    #[inline(always)]
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// With the crate's checks: the fixed part is whole, both strings lie in the body, the host is not null or empty.
#[inline]
pub(crate) fn decode_begin(body: &[u8]) -> Option<BeginView<'_>> {
    let mut cursor = Cursor(body);
    let (port, tls_port) = (cursor.u16()?, cursor.u16()?);
    let (host_size, host_data) = (cursor.u32()?, cursor.u32()?);
    let (subject_size, subject_data) = (cursor.u32()?, cursor.u32()?);
    let version = cursor.u32()?;
    let part = |offset: u32, size: u32| {
        let offset = usize::try_from(offset).ok()?;
        body.get(offset..offset.checked_add(usize::try_from(size).ok()?)?)
    };
    let host = part(host_data, host_size)?;
    if host_data == 0 || host.first().is_none_or(|&byte| byte == 0) {
        return None;
    }
    let subject = part(subject_data, subject_size)?;
    let cert_subject = (subject_data != 0).then_some(subject);
    Some(BeginView { port, tls_port, host, cert_subject, version })
}

/// The fixed part is whole.
#[inline]
pub(crate) fn decode_ping(body: &[u8]) -> Option<PingView<'_>> {
    let mut cursor = Cursor(body);
    let (id, timestamp) = (cursor.u32()?, cursor.u64()?);
    Some(PingView { id, timestamp, padding: cursor.0 })
}

/// A MIGRATE_BEGIN_SEAMLESS to be encoded; the strings have their NULs.
#[derive(Clone, Debug)]
pub(crate) struct BeginOwned {
    port: u16,
    tls_port: u16,
    host: Bytes,
    cert_subject: Option<Bytes>,
    version: u32,
}

impl From<&Begin> for BeginOwned {
    fn from(begin: &Begin) -> Self {
        Self {
            port: begin.port,
            tls_port: begin.tls_port,
            host: super::c_string(&begin.host).into(),
            cert_subject: Some(super::c_string(&begin.cert_subject).into()),
            version: begin.version,
        }
    }
}

/// A PING to be encoded.
#[derive(Clone, Debug)]
pub(crate) struct PingOwned {
    id: u32,
    timestamp: u64,
    padding: Bytes,
}

impl From<&Ping> for PingOwned {
    fn from(ping: &Ping) -> Self {
        Self { id: ping.id, timestamp: ping.timestamp, padding: Bytes::new() }
    }
}

/// One check of the size up front, then a slice cut in fixed places.
#[inline]
pub(crate) fn encode_begin(begin: &BeginOwned, dst: &mut [u8]) -> Option<usize> {
    let subject: &[u8] = begin.cert_subject.as_deref().unwrap_or_default();
    let size = 24_usize.checked_add(begin.host.len())?.checked_add(subject.len())?;
    let host_size = u32::try_from(begin.host.len()).ok()?;
    let subject_size = u32::try_from(subject.len()).ok()?;
    let subject_data = if begin.cert_subject.is_some() { host_size.checked_add(24)? } else { 0 };
    let (fixed, strings) = dst.get_mut(..size)?.split_first_chunk_mut::<24>()?;
    fixed[0..2].copy_from_slice(&begin.port.to_le_bytes());
    fixed[2..4].copy_from_slice(&begin.tls_port.to_le_bytes());
    fixed[4..8].copy_from_slice(&host_size.to_le_bytes());
    fixed[8..12].copy_from_slice(&24_u32.to_le_bytes());
    fixed[12..16].copy_from_slice(&subject_size.to_le_bytes());
    fixed[16..20].copy_from_slice(&subject_data.to_le_bytes());
    fixed[20..24].copy_from_slice(&begin.version.to_le_bytes());
    let (host_room, subject_room) = strings.split_at_mut_checked(begin.host.len())?;
    host_room.copy_from_slice(&begin.host);
    subject_room.copy_from_slice(subject);
    Some(size)
}

/// One check of the size up front, then a slice cut in fixed places.
#[inline]
pub(crate) fn encode_ping(ping: &PingOwned, dst: &mut [u8]) -> Option<usize> {
    let size = 12_usize.checked_add(ping.padding.len())?;
    let (fixed, padding) = dst.get_mut(..size)?.split_first_chunk_mut::<12>()?;
    fixed[0..4].copy_from_slice(&ping.id.to_le_bytes());
    fixed[4..12].copy_from_slice(&ping.timestamp.to_le_bytes());
    padding.copy_from_slice(&ping.padding);
    Some(size)
}

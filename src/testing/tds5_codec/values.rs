//! Values that the API can build, through their bytes and back.

use super::feeds::{End, feeds};
use super::{live, own};
use crate::limits::Tds5Limits;
use crate::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability, ResponseCapability};
use crate::tds5::migration::{Address, Options};
use crate::tds5::packet::PacketHeader;
use crate::tds5::stream::{MessageStream, Piece};
use crate::tds5::token::{Column, Format, FormatKind, Token, Values, walk};
use crate::testing::tds5 as any;
use crate::testing::{Choices, check_chunking, damaged};
use crate::wire::{ByteOrder, Encode as _, Payload, StreamDecode as _};
use bytes::BytesMut;
use std::collections::BTreeSet;
use std::vec::Vec;

/// Any value that the API can build, through its bytes and back.
///
/// The first byte chooses what, the rest are decisions of a generator.
///
/// # Panics
/// It is another one afterwards, or a property of the codec (M1 to M4, M12) does not hold.
pub fn run_roundtrip(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let c = &mut choices;
    match c.byte() % 10 {
        0 => header(c),
        1 => {
            let order = any::byte_order(c);
            one_token(order, &any::token(order, c));
        }
        2 => conversation(c),
        3 => login(c),
        4 => formats(c),
        5 => capabilities(c),
        6 => addresses(c),
        7 => odd_tokens(c),
        8 => live::migrations(c),
        _ => live::dialogue(c),
    }
}

fn header(c: &mut Choices<'_>) {
    let header = any::packet_header(c);
    let bytes = header.to_vec().expect("a header can be encoded");
    assert_eq!((bytes.len(), PacketHeader::parse(&bytes, u16::MAX)), (8, Ok(Some(header))), "M1");
    assert_eq!(bytes[2..4], header.length.to_be_bytes(), "M2: the length is big-endian");
    assert_eq!(PacketHeader::parse(&bytes[..7], u16::MAX), Ok(None));
    let limit = header.length - 1;
    assert!(PacketHeader::parse(&bytes, limit).is_err(), "M13: a length beyond the limit");
}

/// M1 for one token that needs no other.
fn one_token(order: ByteOrder, token: &Token) {
    let bytes = token.in_order(order).to_vec().unwrap_or_else(|error| panic!("M1: {token:?}: {error}"));
    assert_eq!(bytes.len(), token.in_order(order).encoded_len(), "M1: {token:?}");
    let walked: Vec<_> = walk(order, &bytes).collect();
    let [Ok(raw)] = walked[..] else { panic!("M1: {token:?} is {walked:?}") };
    assert_eq!(raw.decode().map(|token| token.map(&mut own)).as_ref(), Ok(token), "M1");
}

/// What a generated conversation says is what streams and connections find, however it is cut.
fn conversation(c: &mut Choices<'_>) {
    let cuts: Vec<usize> = (0..4).map(|_| usize::from(c.u16())).collect();
    let conversation = any::conversation(c);
    let stream = conversation.bytes();
    let make = || {
        let mut decoder = MessageStream::new(conversation.sender, Tds5Limits::DEFAULT);
        decoder.set_order(conversation.order);
        decoder
    };
    let (mut decoder, mut src, mut headers, mut pieces) = (make(), BytesMut::from(&stream[..]), Vec::new(), Vec::new());
    while let Some(piece) = decoder.decode_next(&mut src).expect("M1: it is ours") {
        if let Piece::Packet(header) = piece { headers.push(header) } else { pieces.push(piece) }
    }
    assert!(src.is_empty() && !decoder.in_message() && decoder.begun() == 0, "M1: all of it is read");
    let packets = conversation.messages.iter().flat_map(|message| &message.packets);
    assert!(headers.iter().eq(packets.map(|packet| &packet.header)), "M2: every packet is told");
    assert_eq!(pieces, conversation.pieces(), "M1: pieces");
    check_chunking(make, &stream, &cuts);
    let end = || End::new(conversation.sender, conversation.order, Tds5Limits::DEFAULT, Options::DEFAULT);
    assert_eq!(feeds(end, &stream, &cuts), (conversation.items(), None), "M1: items");
}

fn login(c: &mut Choices<'_>) {
    let login = any::login(c);
    let bytes = login.record.to_vec().expect("the generator keeps to the rules");
    assert_eq!(crate::tds5::login::LoginRecord::parse(&bytes).as_ref(), Ok(&*login.record), "M1");
    assert_eq!(login.record.session_id.map_or([0; 6], |id| id.bytes()), bytes[517..523], "M12");
    check_capabilities(&login.capabilities);
    live::login(&login);
}

/// M3: a format is what its columns are, and values are one for each column.
fn formats(c: &mut Choices<'_>) {
    let (kind, order) = (any::format_kind(c), any::byte_order(c));
    let columns = any::columns(kind, order, c);
    let format = Format::new(kind, order, &columns).expect("the generator keeps to the rules");
    let read: Vec<Column> = format.columns().map(|column| column.map(&mut own)).collect();
    assert_eq!((&read, usize::from(format.count())), (&columns, columns.len()), "M3");
    one_token(order, &Token::Format(format.clone()));
    let token = Token::from(format.clone()).in_order(order).to_vec().expect("it is good");
    let announced = match (kind, order) {
        (FormatKind::Params | FormatKind::Rows, ByteOrder::Little) => {
            u64::from(u16::from_le_bytes([token[1], token[2]]))
        }
        (FormatKind::Params | FormatKind::Rows, ByteOrder::Big) => u64::from(u16::from_be_bytes([token[1], token[2]])),
        (_, ByteOrder::Little) => u64::from(u32::from_le_bytes([token[1], token[2], token[3], token[4]])),
        (_, ByteOrder::Big) => u64::from(u32::from_be_bytes([token[1], token[2], token[3], token[4]])),
    };
    let head = if matches!(kind, FormatKind::Params | FormatKind::Rows) { 3 } else { 5 };
    assert_eq!(announced, (token.len() - head) as u64, "M3: the length is what follows");

    let cells = any::cells(&format, c);
    let values = any::values_of(&format, &cells, c);
    check_values(&format, &values.data);
    let read: Vec<any::Cell> = format
        .values(&values.data)
        .map(|(_, value)| any::Cell { status: value.status, data: value.data.map(<[u8]>::to_vec) })
        .collect();
    assert_eq!(read, cells, "M3: the values");
    let row = if kind.is_rows() { Token::Row(values) } else { Token::Params(values) };
    let (format, row) = (Token::Format(format), row);
    let both = any::payload_of(&[format.clone(), row.clone(), row.clone()], order);
    let walked: Result<Vec<Token>, _> =
        walk(order, &both).map(|raw| raw.and_then(|raw| Ok(raw.decode()?.map(&mut own)))).collect();
    assert_eq!(walked, Ok([format, row.clone(), row.clone()].into()), "M3: the format holds until the next one");
    let alone = any::payload_of(&[row], order);
    assert!(walk(order, &alone).next().is_some_and(|raw| raw.is_err()), "M3: no values without a format");
}

/// M3 on values that were accepted: one for each column, and together all the bytes there are.
///
/// # Panics
/// They are not.
pub fn check_values<B: Payload>(format: &Format<B>, data: &[u8]) {
    use crate::tds5::token::DataType;
    let (mut count, mut size, mut objects) = (0, 0, false);
    for (column, value) in format.values(data) {
        count += 1;
        size += usize::from(value.status.is_some());
        if value.status.is_some_and(|status| status & 1 != 0) {
            assert_eq!(value.data, None, "M3: NULL has no bytes");
            continue;
        }
        // The length before a value, by what its format has.
        size += value.data.map_or(0, <[u8]>::len);
        match column.data_type {
            DataType::TEXT | DataType::IMAGE | DataType::UNITEXT | DataType::XML => objects = true,
            DataType::LONGCHAR | DataType::LONGBINARY => size += 4,
            _ => size += usize::from(!column.size.is_empty()),
        }
    }
    assert_eq!(count, usize::from(format.count()), "M3: a value for each column");
    assert!(objects || size == data.len(), "M3: {size} bytes in the values of {}", data.len());
    let _ = Values { data }.map(&mut own);
}

/// M4: masks against sets of numbers.
fn capabilities(c: &mut Choices<'_>) {
    let mut mask = any::mask(c);
    let bytes = mask.as_bytes();
    let bit = |number: &usize| bytes[bytes.len() - 1 - number / 8] & 1 << (number % 8) != 0;
    let mut model: BTreeSet<u16> = (0..8 * bytes.len()).filter(bit).map(|number| number as u16).collect();
    assert!(mask.iter().eq(model.iter().copied()), "M4: {mask:?}");
    for _ in 0..c.below(12) {
        let number = match c.byte() % 4 {
            0 => *c.pick(&[89, 81, 8, 1, 2039, 2040, 0]),
            1 => c.u16(),
            _ => u16::from(c.byte()),
        };
        let (on, before) = (c.boolean(), mask.clone());
        let result = mask.set(number, on);
        assert_eq!(result.is_err(), on && number > 2039, "M4: {number}");
        match (result, on) {
            (Err(_), _) => assert_eq!(mask, before, "M4: a number that does not fit changes nothing"),
            (Ok(()), true) => _ = model.insert(number),
            (Ok(()), false) => _ = model.remove(&number),
        }
        assert!(mask.iter().eq(model.iter().copied()), "M4: {mask:?} {number} {on}");
    }
    let (request, response) = (mask, any::mask(c));
    let capabilities = Capabilities::new(&request, &response);
    for number in 0..2100 {
        assert_eq!(capabilities.request(RequestCapability(number)), model.contains(&number), "M4: {number}");
        assert_eq!(capabilities.response(ResponseCapability(number)), response.contains(number), "M4: {number}");
    }
    check_capabilities(&capabilities);
    check_capabilities(&any::capabilities(c));
    let granted = capabilities.granted(&any::capabilities(c));
    let request = granted.mask(CapabilityType::REQUEST);
    assert!(request.is_none_or(|mask| mask.iter().all(|number| model.contains(&number))), "M4: cut down");
    check_capabilities(&granted);
}

/// M4 on capabilities that were accepted: nothing is lost, and the length of a mask says nothing.
///
/// # Panics
/// It does.
pub fn check_capabilities<B: Payload + Clone>(capabilities: &Capabilities<B>) {
    let again: Capabilities = capabilities.masks().collect();
    assert_eq!(again, capabilities.clone().map(&mut |bytes| own(bytes.as_ref())), "M4: types and bits survive");
    for (_, mask) in capabilities.masks() {
        let bytes = mask.as_bytes();
        assert!(bytes.len() >= 12 || !mask.contains(89), "M4: 89 in a mask of {} bytes", bytes.len());
        let shortest = Mask::of(mask.iter()).expect("they fitted before");
        assert!(shortest.as_bytes().len() <= bytes.len(), "M4: shorter, if anything");
        let longest = [&std::vec![0; 255 - bytes.len()][..], bytes].concat();
        let longest = Mask::new(longest).expect("it has 255 bytes");
        assert!(shortest.iter().eq(mask.iter()) && longest.iter().eq(mask.iter()), "M4: the same in any length");
        let asked = [0, 8, 81, 89, 2039, u16::MAX];
        let agree = |number| {
            mask.contains(number) == shortest.contains(number) && mask.contains(number) == longest.contains(number)
        };
        assert!(asked.into_iter().all(agree), "M4: {mask:?}");
    }
    let _ = (std::format!("{capabilities}"), std::format!("{:?}", capabilities.masks().next()));
}

fn addresses(c: &mut Choices<'_>) {
    let address = any::address(c);
    let text = any::address_text(&address, c);
    assert_eq!(Address::parse(text.as_bytes()).as_ref(), Some(&address), "M1: {text}");
    assert_eq!(Address::new(address.host(), address.port()), Some(address));
    let bytes = damaged(text.into_bytes(), c);
    if let Some(read) = Address::parse(&bytes) {
        let again = std::format!("{read}");
        assert_eq!(Address::parse(again.as_bytes()), Some(read), "M1: {again}");
    }
}

/// Tokens in layouts of others: what is accepted is written back.
fn odd_tokens(c: &mut Choices<'_>) {
    let order = any::byte_order(c);
    let mut payload = Vec::new();
    for _ in 0..=c.below(3) {
        payload.extend(any::odd_token(order, c));
    }
    super::cut_alike(
        order,
        crate::tds5::PacketType::RESPONSE,
        &payload,
        &[usize::from(c.u16()), usize::from(c.byte())],
    );
}

//! TDS 5.0: decoding, encoding, a stream that arrives byte by byte and a walk over a response, beside a hand-written
//! floor and postcard.
//!
//! In `decode` and `encode` the message is a request to migrate with one address: MSG, PARAMFMT and PARAMS. One
//! iteration is a pass over [`pass::PASS`] = 1000 of them, so that a time in µs reads as ns for a message; `same`
//! repeats one message, `varied` has 1000 different ones. In `stream` and `walk` one iteration is the whole stream.
//! Inputs are made beforehand, and the byte order is known at run time only. What comes out is shown to `black_box`
//! and dropped within the time.
//!
//! What is wanted, by medians of one run on a quiet machine: decode at most 2.5 × `hand_cursor` and ahead of
//! `postcard`; encode at most 1.3 × `hand_parts`; stream in pieces of 1 at most 1.3 × `bare_framer`; walk at most
//! 1.5 × `hand`.

#[path = "peers/pass.rs"]
mod pass;
#[path = "peers/tds5/mod.rs"]
mod peers;

use ::handover::tds5::migration::{Address, Migration, Options, Request};
use ::handover::tds5::token::{Column, Token, Value, walk};
use ::handover::wire::{ByteOrder, Encode};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use pass::{PASSES, Pass, pass, pass_into, pass_onto};
use peers::hand;

fn main() {
    divan::main();
}

/// The byte order, of which the compiler learns nothing.
fn order() -> ByteOrder {
    black_box(ByteOrder::Little)
}

fn migration(index: usize) -> Migration {
    let request = peers::request(index);
    let addresses = vec![Address::new(&request.host, request.port).unwrap()];
    Migration::Request(Request { addresses, unreadable: Vec::new() })
}

fn tokens(index: usize) -> [Token; 3] {
    migration(index).tokens(order(), &Options::DEFAULT).unwrap().try_into().unwrap()
}

fn request_owned(index: usize) -> hand::RequestOwned {
    hand::RequestOwned { id: 17, max: 255, address: peers::request(index).address().into() }
}

/// What the three tokens hold.
fn parts_owned(index: usize) -> hand::PartsOwned {
    let [message, format, params] = tokens(index);
    let (Token::Message(message), Token::Format(format), Token::Params(values)) = (message, &format, params) else {
        panic!("MSG, PARAMFMT, PARAMS")
    };
    let columns = Token::from(format.clone()).in_order(order()).to_vec().unwrap().split_off(5).into();
    hand::PartsOwned { status: message.status, id: message.id.0, count: format.count(), columns, values: values.data }
}

/// The bytes of a request: those that the floor reads and writes too.
fn request_bytes(index: usize) -> Vec<u8> {
    let (tokens, address) = (tokens(index), peers::request(index).address());
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.in_order(order()).to_vec().unwrap()).collect();
    let mut seen = Vec::new();
    let head = hand::decode_request(false, &bytes, |column, value| seen.push((column.max, value))).unwrap();
    assert_eq!((head, seen), ((1, 17), vec![(255, Some(address.as_bytes()))]));
    let mut values = Vec::new();
    let head = decode_request(&bytes, |_, value| values.push(value.data.map(<[u8]>::to_vec))).unwrap();
    assert_eq!((head, values), ((1, 17), vec![Some(address.into_bytes())]));
    let mut room = [0; 256];
    let size = hand::encode_request(false, &request_owned(index), &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let size = hand::encode_parts(false, &parts_owned(index), &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    let size = encode_request(&tokens, &mut room).unwrap();
    assert_eq!(room[..size], bytes);
    bytes
}

/// Walks over the three tokens, decodes each, and hands each parameter to `each`.
#[inline]
fn decode_request(bytes: &[u8], mut each: impl FnMut(Column<&[u8]>, Value<'_>)) -> Option<(u8, u16)> {
    let mut walk = walk(order(), bytes);
    let Ok(Token::Message(message)) = walk.next()?.ok()?.decode() else { return None };
    let Ok(Token::Format(format)) = walk.next()?.ok()?.decode() else { return None };
    let Ok(Token::Params(params)) = walk.next()?.ok()?.decode() else { return None };
    for (column, value) in format.values(params.data) {
        each(column, value);
    }
    walk.next().is_none().then_some((message.status, message.id.0))
}

#[inline]
fn encode_request(tokens: &[Token; 3], room: &mut [u8]) -> Option<usize> {
    let order = order();
    let mut used = 0;
    for token in tokens {
        used += token.in_order(order).encode(room.get_mut(used..)?).ok()?;
    }
    Some(used)
}

/// Three whole tokens to borrowed ones, and on to the parameter's type and value.
mod decode {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(request_bytes), |bytes| {
            decode_request(bytes, |column, value| _ = (black_box(&column), black_box(&value)))
        });
    }

    #[divan::bench(args = PASSES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, kind: Pass) {
        pass(bencher, &kind.items(request_bytes), |bytes| {
            let big = order() == ByteOrder::Big;
            hand::decode_request(big, bytes, |column, value| _ = (black_box(&column), black_box(&value)))
        });
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        let items = kind.items(|index| {
            let address = peers::request(index).address();
            ::postcard::to_slice(&peers::postcard::Request::new(&address), &mut [0; 256]).unwrap().to_vec()
        });
        pass(bencher, &items, |bytes| ::postcard::from_bytes::<peers::postcard::Request<'_>>(bytes));
    }
}

/// Three tokens to bytes in a buffer that is used again.
mod encode {
    use crate::*;

    #[divan::bench(args = PASSES)]
    fn handover(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(tokens), encode_request);
    }

    /// Into a `BytesMut` with capacity.
    #[divan::bench(args = PASSES)]
    fn handover_bytes_mut(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_onto(bencher, &kind.items(tokens), |tokens, buffer| {
            let order = order();
            tokens.iter().try_for_each(|token| token.in_order(order).encode_to(buffer))
        });
    }

    /// From the migration message, whose tokens are made and dropped: this allocates.
    #[divan::bench(args = PASSES)]
    fn handover_migration(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(migration), |migration, room| {
            let tokens: [Token; 3] = migration.tokens(order(), &Options::DEFAULT).ok()?.try_into().ok()?;
            encode_request(&tokens, room)
        });
    }

    /// From the contents of the three tokens.
    #[divan::bench(args = PASSES)]
    fn hand_parts(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(parts_owned), |parts, room| {
            hand::encode_parts(order() == ByteOrder::Big, parts, room)
        });
    }

    /// From the address: what the format is, is known.
    #[divan::bench(args = PASSES)]
    fn hand_request(bencher: Bencher<'_, '_>, kind: Pass) {
        pass_into(bencher, &kind.items(request_owned), |request, room| {
            hand::encode_request(order() == ByteOrder::Big, request, room)
        });
    }

    #[divan::bench(args = PASSES)]
    fn postcard(bencher: Bencher<'_, '_>, kind: Pass) {
        let addresses = kind.items(|index| peers::request(index).address());
        let items: Vec<_> = addresses.iter().map(|address| peers::postcard::Request::new(address)).collect();
        pass_into(bencher, &items, |value, room| ::postcard::to_slice(value, room).map(|used| used.len()));
    }
}

/// [`stream::MESSAGES`] requests, each in a packet, that arrive in pieces, into a buffer that stays.
mod stream {
    use crate::peers::bare::{BareFramer, HEADER};
    use crate::*;
    use ::handover::limits::Tds5Limits;
    use ::handover::tds5::PacketType;
    use ::handover::tds5::connection::{ClientConnection, Item};
    use ::handover::tds5::packet::{PacketHeader, PacketStream};
    use ::handover::tds5::stream::{MessageStream, Piece, Sender};
    use ::handover::wire::Framer;

    /// Messages of a stream.
    const MESSAGES: usize = 64;

    /// Bytes that arrive at once: one, and a TCP segment.
    const PIECES: [usize; 2] = [1, 1448];

    fn packets() -> Vec<u8> {
        let mut stream = Vec::new();
        for payload in (0..MESSAGES).map(request_bytes) {
            let header = PacketHeader::new(PacketType::MIGRATE, true, u16::try_from(payload.len()).unwrap());
            stream.extend(header.to_vec().unwrap());
            stream.extend(payload);
        }
        stream
    }

    /// Times `step` on each piece of the stream; `step` returns how many messages came out.
    fn feed(bencher: Bencher<'_, '_>, size: usize, mut step: impl FnMut(&[u8]) -> usize) {
        let stream = packets();
        bencher.counter(BytesCount::new(stream.len())).counter(ItemsCount::new(MESSAGES)).bench_local(|| {
            let mut messages = 0;
            for piece in black_box(&stream).chunks(size) {
                messages += step(piece);
            }
            assert_eq!(messages, MESSAGES);
        });
    }

    /// Frames, then `parse` on each.
    fn feed_frames<R>(bencher: Bencher<'_, '_>, size: usize, parse: impl Fn(&[u8]) -> Option<R>) {
        let mut framer = BareFramer::new(Tds5Limits::DEFAULT.packet_size);
        feed(bencher, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(frame) = framer.next_frame().unwrap() {
                black_box(&parse(&frame).unwrap());
                messages += 1;
            }
            messages
        });
    }

    /// Tokens that share the packet's bytes.
    #[divan::bench(args = PIECES)]
    fn handover(bencher: Bencher<'_, '_>, size: usize) {
        let mut framer = Framer::new(MessageStream::new(Sender::Server, Tds5Limits::DEFAULT));
        feed(bencher, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(piece) = framer.next_item().unwrap() {
                messages += usize::from(matches!(black_box(piece), Piece::End(_)));
            }
            messages
        });
    }

    /// Packets, as the bare framer cuts frames.
    #[divan::bench(args = PIECES)]
    fn handover_packets(bencher: Bencher<'_, '_>, size: usize) {
        let mut framer = Framer::new(PacketStream::new(&Tds5Limits::DEFAULT));
        feed(bencher, size, |piece| {
            framer.push(piece);
            let mut messages = 0;
            while let Some(packet) = framer.next_item().unwrap() {
                messages += usize::from(black_box(packet).header.ends_message());
            }
            messages
        });
    }

    /// On to requests with addresses, which allocate.
    #[divan::bench(args = PIECES)]
    fn handover_connection(bencher: Bencher<'_, '_>, size: usize) {
        let mut client = ClientConnection::new(Tds5Limits::DEFAULT, Options::DEFAULT);
        feed(bencher, size, |piece| {
            client.receive(piece);
            let mut messages = 0;
            while let Some(item) = client.next_item().unwrap() {
                messages += usize::from(matches!(black_box(item), Item::Migration(_)));
            }
            messages
        });
    }

    /// Frame boundaries only.
    #[divan::bench(args = PIECES)]
    fn bare_framer(bencher: Bencher<'_, '_>, size: usize) {
        feed_frames(bencher, size, |_| Some(()));
    }

    #[divan::bench(args = PIECES)]
    fn hand_cursor(bencher: Bencher<'_, '_>, size: usize) {
        let big = order() == ByteOrder::Big;
        feed_frames(bencher, size, |payload| {
            hand::decode_request(big, payload, |column, value| _ = (black_box(&column), black_box(&value)))
        });
    }

    const _: () = assert!(HEADER == PacketHeader::SIZE);
}

/// The tokens of a response of 64 KiB, most of which are skipped.
mod walk_response {
    use crate::peers::ty;
    use crate::*;
    use ::handover::tds5::token::{Done, Eed, EnvironmentChange, EnvironmentKind};

    const SIZE: usize = 64 << 10;

    /// A token of a body of this size of which nothing is known but its end.
    fn skipped(ty: u8, size: usize) -> Vec<u8> {
        let length = u16::try_from(size).unwrap().to_le_bytes();
        [ty].into_iter().chain(length).chain((0..size).map(|at| (at % 251) as u8)).collect()
    }

    /// The same tokens each time, in an order that a branch predictor does not know by heart.
    fn response() -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE + 256);
        let mut state = 7_usize;
        while bytes.len() < SIZE {
            state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5677);
            let (kind, size) = (state >> 60, (state >> 48) % 160);
            let token = |token: Token| token.in_order(ByteOrder::Little).to_vec().unwrap();
            let text = "x".repeat(size);
            bytes.extend(match kind {
                0..3 => skipped(ty::ORDER_BY, size % 16),
                3..6 => skipped(ty::TABLE_NAME, size % 64),
                6..9 => skipped(ty::COLUMN_INFO, size),
                9..11 => token(Eed::new(5701, 10, text).into()),
                11..13 => {
                    let (new, old) = text.as_bytes().split_at(size / 2);
                    token(EnvironmentChange::new(EnvironmentKind::DATABASE, new, old).unwrap().into())
                }
                _ => token(Done::FINAL.into()),
            });
        }
        bytes
    }

    fn measure(bencher: Bencher<'_, '_>, work: impl Fn(&[u8]) -> usize) {
        let bytes = response();
        let mut tokens = Vec::new();
        hand::walk(false, &bytes, |(ty, body)| {
            tokens.push((ty, body));
            Some(())
        })
        .unwrap();
        let ours = walk(ByteOrder::Little, &bytes).map(|raw| raw.map(|raw| (raw.ty.0, raw.body)));
        assert_eq!(ours.collect::<Result<Vec<_>, _>>(), Ok(tokens.clone()));
        let counter = bencher.counter(BytesCount::new(bytes.len())).counter(ItemsCount::new(tokens.len()));
        counter.bench_local(|| assert_eq!(work(black_box(&bytes)), tokens.len()));
    }

    /// Where the tokens end.
    mod raw {
        use super::*;

        #[divan::bench]
        fn handover(bencher: Bencher<'_, '_>) {
            measure(bencher, |bytes| {
                let mut count = 0;
                for raw in walk(order(), bytes) {
                    black_box(&raw.unwrap());
                    count += 1;
                }
                count
            });
        }

        #[divan::bench]
        fn hand(bencher: Bencher<'_, '_>) {
            measure(bencher, |bytes| {
                let mut count = 0;
                let walked = hand::walk(order() == ByteOrder::Big, bytes, |raw| {
                    black_box(&raw);
                    count += 1;
                    Some(())
                });
                walked.unwrap();
                count
            });
        }
    }

    /// And what they say.
    mod decoded {
        use super::*;

        #[divan::bench]
        fn handover(bencher: Bencher<'_, '_>) {
            measure(bencher, |bytes| {
                let mut count = 0;
                for raw in walk(order(), bytes) {
                    let token = raw.unwrap().decode();
                    black_box(&token);
                    count += usize::from(token.is_ok());
                }
                count
            });
        }

        #[divan::bench]
        fn hand(bencher: Bencher<'_, '_>) {
            measure(bencher, |bytes| {
                let (mut count, big) = (0, order() == ByteOrder::Big);
                let walked = hand::walk(big, bytes, |raw| {
                    let token = hand::decode_token(big, raw);
                    black_box(&token);
                    count += usize::from(token.is_some());
                    Some(())
                });
                walked.unwrap();
                count
            });
        }
    }
}

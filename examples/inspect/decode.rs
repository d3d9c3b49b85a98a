//! What every protocol's decoder here has in common: one direction of a conversation on its way through a
//! [`StreamDecode`].

use crate::input::{Conversation, Stream};
use crate::record::{Fault, Head, MessageRecord, Record};
use bytes::BytesMut;
use handover::error::EncodeError;
use handover::wire::StreamDecode;
use std::ops::Range;

/// A protocol that can be inspected.
pub(crate) trait Protocol {
    /// Whether a conversation that the user did not choose can be this protocol's, by its first bytes.
    fn recognises(&self, conversation: &Conversation) -> bool;

    /// Everything in both directions, the client's first.
    fn decode(&self, conversation: &Conversation, verify: bool) -> [Vec<Record>; 2];
}

/// One direction, and what was found in it.
pub(crate) struct Direction<'a, D> {
    pub(crate) decoder: D,
    stream: &'a Stream,
    rest: BytesMut,
    /// The bytes of the message whose items are being handed out.
    frame: Range<usize>,
    verify: bool,
    failed: bool,
    records: Vec<Record>,
}

impl<'a, D: StreamDecode> Direction<'a, D> {
    pub(crate) fn new(decoder: D, stream: &'a Stream, verify: bool) -> Self {
        let rest = BytesMut::from(stream.bytes.as_slice());
        Self { decoder, stream, rest, frame: 0..0, verify, failed: false, records: Vec::new() }
    }

    /// How many bytes have been taken.
    fn position(&self) -> usize {
        self.stream.bytes.len() - self.rest.len()
    }

    /// The next item; `None` if more bytes are needed, or news of the other direction, or the stream is over.
    pub(crate) fn next_item(&mut self) -> Option<D::Item> {
        if self.failed {
            return None;
        }
        let start = self.position();
        match self.decoder.decode_next(&mut self.rest) {
            Ok(item) => {
                let end = self.position();
                // An item that takes no bytes stands in the body of the message that was taken last.
                if end > start {
                    self.frame = start..end;
                }
                item
            }
            Err(error) => {
                self.failed = true;
                self.records.push(Record::Error { offset: start, error: Fault::from(&error) });
                None
            }
        }
    }

    /// The bytes of the last item.
    pub(crate) fn frame(&self) -> &[u8] {
        self.stream.bytes.get(self.frame.clone()).unwrap_or_default()
    }

    /// Where the last item stands.
    pub(crate) fn place(&self) -> Range<usize> {
        self.frame.clone()
    }

    /// Notes the last item.
    pub(crate) fn push(&mut self, head: Head, encode: impl FnOnce() -> Result<Vec<u8>, EncodeError>) {
        let (offset, length) = if head.sub { (None, 0) } else { (Some(self.frame.start), self.frame.len()) };
        let (name, sub) = (head.name, head.sub);
        self.records.push(Record::Message(MessageRecord { offset, length, head }));
        if !sub {
            self.compare(self.frame.clone(), name, encode);
        }
    }

    /// Notes that something is wrong with the last item, although the stream goes on behind it.
    pub(crate) fn complain(&mut self, error: Fault) {
        self.records.push(Record::Error { offset: self.frame.start, error });
    }

    /// Notes that something is wrong at `offset`, in what no item has taken.
    pub(crate) fn complain_at(&mut self, offset: usize, error: Fault) {
        self.records.push(Record::Error { offset, error });
    }

    /// Notes an item that stands at `place`, perhaps with something else in between.
    pub(crate) fn push_at(&mut self, place: Range<usize>, head: Head) {
        self.records.push(Record::Message(MessageRecord { offset: Some(place.start), length: place.len(), head }));
    }

    /// With `--verify`, whether the bytes at `place` are what `encode` gives.
    pub(crate) fn compare(
        &mut self,
        place: Range<usize>,
        name: &'static str,
        encode: impl FnOnce() -> Result<Vec<u8>, EncodeError>,
    ) {
        self.compare_parts(&[place], name, encode);
    }

    /// [`compare`](Self::compare) for bytes that stand at several places.
    pub(crate) fn compare_parts(
        &mut self,
        places: &[Range<usize>],
        name: &'static str,
        encode: impl FnOnce() -> Result<Vec<u8>, EncodeError>,
    ) {
        if !self.verify {
            return;
        }
        let part = |place: &Range<usize>| self.stream.bytes.get(place.clone()).unwrap_or_default();
        let came = places.iter().flat_map(part).copied().collect::<Vec<_>>();
        if let Some(reason) = difference(&came, encode()) {
            let offset = places.first().map_or_else(|| self.position(), |place| place.start);
            let error = Fault { kind: "verify", message: name, field: "bytes", reason };
            self.records.push(Record::Error { offset, error });
        }
    }

    /// Why the stream could not be read on, and where it says so: a decoder that keeps the beginning of something may
    /// know better.
    pub(crate) fn fault(&mut self) -> Option<(&mut usize, &Fault)> {
        match self.records.last_mut() {
            Some(Record::Error { offset, error }) if self.failed => Some((offset, error)),
            _ => None,
        }
    }

    /// Everything that was found, and what is left. `begun` is where something stands of which the decoder has taken
    /// no more than the beginning.
    pub(crate) fn finish(mut self, begun: Option<usize>) -> Vec<Record> {
        let offset = begun.unwrap_or_else(|| self.position());
        if self.failed {
            return self.records;
        }
        if let Some(missing) = self.stream.hole {
            let reason = format!("the capture lacks the next {missing} bytes");
            let error = Fault { kind: "hole", message: "Tcp", field: "sequence", reason };
            self.records.push(Record::Error { offset: self.stream.bytes.len(), error });
        } else if offset < self.stream.bytes.len() {
            self.records.push(Record::Incomplete { offset, incomplete: self.stream.bytes.len() - offset });
        }
        self.records
    }
}

/// How `encoded` differs from the bytes that came.
pub(crate) fn difference(came: &[u8], encoded: Result<Vec<u8>, EncodeError>) -> Option<String> {
    let encoded = match encoded {
        Ok(encoded) if encoded == came => return None,
        Ok(encoded) => encoded,
        Err(error) => return Some(format!("cannot be encoded: {error}")),
    };
    let at = came.iter().zip(&encoded).take_while(|(came, ours)| came == ours).count();
    Some(format!("{} bytes came, encoding gives {}, they differ from byte {at} on", came.len(), encoded.len()))
}

//! TCP streams from captured segments, in any order, with retransmissions and overlaps.
//!
//! All segments of a connection are kept until the end of the capture and put in order then: simpler than
//! doing it on the fly, and a capture that fits on a disk fits in memory.

use super::{Conversation, Stream};
use std::collections::HashMap;
use std::net::SocketAddr;

/// A captured TCP segment.
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
}

/// All connections of a capture.
#[derive(Default)]
pub(super) struct Connections {
    list: Vec<Connection>,
    /// The latest connection between two ends, the lower one first.
    latest: HashMap<[SocketAddr; 2], usize>,
}

impl Connections {
    pub(super) fn add(&mut self, segment: &Segment<'_>) {
        let Segment { from, to, .. } = *segment;
        // What a reset carries is not part of the stream, and its number may be anything.
        if segment.rst {
            return;
        }
        let ends = [from.min(to), from.max(to)];
        if let Some(connection) = self.latest.get(&ends).and_then(|&index| self.list.get_mut(index))
            && !(segment.syn && connection.half(from).is_another(segment.sequence))
        {
            return connection.add(segment);
        }
        let mut connection = Connection { ends, opened_by: None, halves: Default::default() };
        connection.add(segment);
        self.latest.insert(ends, self.list.len());
        self.list.push(connection);
    }

    /// Every connection that carried something, with `ports` only those to one of these.
    pub(super) fn into_conversations(self, ports: &[u16]) -> Vec<Conversation> {
        let mut uses: HashMap<String, u32> = HashMap::new();
        let all = self.list.into_iter().filter_map(|connection| connection.into_conversation(ports));
        let named = all.map(|mut conversation| {
            // The same two ends may have been connected several times.
            let count = uses.entry(conversation.conn.clone()).and_modify(|count| *count += 1).or_insert(1);
            if *count > 1 {
                conversation.conn = format!("{}#{count}", conversation.conn);
            }
            conversation
        });
        named.collect()
    }
}

struct Connection {
    ends: [SocketAddr; 2],
    /// Who opened it: the sender of the SYN. Of a connection that is older than the capture, who spoke first.
    opened_by: Option<SocketAddr>,
    /// What each of `ends` sent.
    halves: [Half; 2],
}

impl Connection {
    fn half(&mut self, from: SocketAddr) -> &mut Half {
        let [low, high] = &mut self.halves;
        if from == self.ends[0] { low } else { high }
    }

    fn add(&mut self, segment: &Segment<'_>) {
        if segment.syn {
            self.opened_by = Some(if segment.ack { segment.to } else { segment.from });
        } else if !segment.payload.is_empty() {
            self.opened_by.get_or_insert(segment.from);
        }
        self.half(segment.from).add(segment);
    }

    fn into_conversation(self, ports: &[u16]) -> Option<Conversation> {
        let client = self.opened_by?;
        let ([low, high], [low_end, high_end]) = (self.halves, self.ends);
        let ((client_half, server_half), server) =
            if client == low_end { ((low, high), high_end) } else { ((high, low), low_end) };
        if !ports.is_empty() && !ports.contains(&server.port()) {
            return None;
        }
        let (client_stream, server_stream) = (client_half.assemble("c2s"), server_half.assemble("s2c"));
        let silent = |stream: &Stream| stream.bytes.is_empty() && stream.hole.is_none();
        if silent(&client_stream) && silent(&server_stream) {
            return None;
        }
        let conn = format!("{client}->{server}");
        Some(Conversation { conn, client: client_stream, server: server_stream, chosen: !ports.is_empty() })
    }
}

/// What one end sent. Positions count from the first sequence number that was seen, and do not wrap.
#[derive(Default)]
struct Half {
    /// The latest sequence number and its position, to tell the position of the next.
    reference: Option<(u32, i64)>,
    /// Where the stream begins: behind the SYN.
    start: Option<i64>,
    /// Where it ends: at the FIN.
    end: Option<i64>,
    segments: Vec<(i64, Vec<u8>)>,
}

impl Half {
    fn distance(from: u32, to: u32) -> i64 {
        i64::from(to.wrapping_sub(from).cast_signed())
    }

    fn position(&mut self, sequence: u32) -> i64 {
        let (reference, at) = *self.reference.get_or_insert((sequence, 0));
        let position = at + Self::distance(reference, sequence);
        if position > at {
            self.reference = Some((sequence, position));
        }
        position
    }

    /// Whether a SYN with this number must belong to another connection between the same ends.
    fn is_another(&self, sequence: u32) -> bool {
        let Some((reference, at)) = self.reference else { return false };
        let start = at + Self::distance(reference, sequence) + 1;
        // A SYN that was captured behind its data is still that of the data.
        self.start.or_else(|| self.first()).is_some_and(|known| known != start)
    }

    fn first(&self) -> Option<i64> {
        self.segments.iter().map(|&(position, _)| position).min()
    }

    fn add(&mut self, segment: &Segment<'_>) {
        let mut position = self.position(segment.sequence);
        if segment.syn {
            position += 1;
            self.start = Some(position);
        }
        if segment.fin {
            self.end = Some(position + length(segment.payload));
        }
        if !segment.payload.is_empty() {
            self.segments.push((position, segment.payload.to_vec()));
        }
    }

    /// The stream up to its end or to the first byte that was not captured. Where segments overlap, the one
    /// that begins first wins, then the one that came first.
    fn assemble(mut self, dir: &str) -> Stream {
        let mut bytes = Vec::new();
        let mut hole = None;
        let start = self.start.or_else(|| self.first()).unwrap_or(0);
        self.segments.sort_by_key(|&(position, _)| position);
        for (position, payload) in &self.segments {
            let next = start + length(&bytes);
            match usize::try_from(next - position) {
                Ok(known) => bytes.extend_from_slice(payload.get(known..).unwrap_or_default()),
                Err(_) => {
                    hole = u64::try_from(position - next).ok();
                    break;
                }
            }
        }
        let next = start + length(&bytes);
        hole = hole.or_else(|| u64::try_from(self.end? - next).ok().filter(|&missing| missing > 0));
        Stream { dir: dir.to_owned(), bytes, hole }
    }
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

//! What the answers of a direction look like: the requests of the other one say so.

use super::Reader;
use bytes::BytesMut;
use handover::repmgr::message::Message;
use handover::wire::StreamDecode;
use std::collections::{HashMap, VecDeque};

/// What the body of an answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// One segment.
    Bytes,
    /// A block of segments.
    Block,
    /// A block if it can be read as one.
    Either,
}

/// The requests and the answers in one direction.
#[derive(Default)]
pub(super) struct Said {
    /// For each tag, whether the answers to the requests with it are to be blocks of segments.
    requests: HashMap<u32, VecDeque<bool>>,
    /// The tags of the answers.
    answers: Vec<u32>,
}

impl Said {
    /// Reads a direction as far as it can be read.
    pub(super) fn by(reader: &Reader, bytes: &[u8]) -> Self {
        let (mut reader, mut rest) = (reader.clone(), BytesMut::from(bytes));
        let mut said = Self::default();
        while let Ok(Some(message)) = reader.decode_next(&mut rest) {
            match message {
                Message::App(message) => {
                    if let Some(wanted) = message.wanted() {
                        said.requests.entry(wanted.tag).or_default().push_back(wanted.bulk);
                    }
                }
                Message::Response(response) => said.answers.push(response.tag),
                Message::Error(error) => said.answers.push(error.tag),
                _ => {}
            }
        }
        said
    }

    /// What each of the answers here looks like; they are to the requests of `other`.
    ///
    /// A tag is free again only when its answer has come, so the answers with a tag come in the order of the requests
    /// with it. But who does not keep to that, or a capture that begins in the midst, must not make a good answer
    /// look bad: nothing is certain where requests with the same tag differ, or where answers are too many.
    pub(super) fn answers_to(&self, other: &Self) -> Vec<Answer> {
        let mut count: HashMap<u32, usize> = HashMap::new();
        for tag in &self.answers {
            *count.entry(*tag).or_default() += 1;
        }
        let mut left = other.requests.clone();
        let mut answer = |tag: &u32| {
            let (Some(all), Some(left)) = (other.requests.get(tag), left.get_mut(tag)) else { return Answer::Bytes };
            let too_many = count.get(tag).is_some_and(|count| *count > all.len());
            match left.pop_front() {
                _ if !all.contains(&true) => Answer::Bytes,
                Some(true) if !too_many && !all.contains(&false) => Answer::Block,
                Some(false) if !too_many => Answer::Bytes,
                _ => Answer::Either,
            }
        };
        self.answers.iter().map(&mut answer).collect()
    }
}

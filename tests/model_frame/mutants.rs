//! Ends and transports that are wrong in one way each. A property that no mutant refutes would prove nothing.

use super::world::{Property, Word};
use handover::frame::link::{Ending, Event, Output};
use handover::frame::{Capabilities, CloseReason, Frame, FrameFlags, Hello, Native, Protocol};
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The shipped machines, over a transport that is one.
    #[default]
    None,
    HelloTwice,
    FrameBeforeHello,
    FrameBehindClose,
    OtherCapabilities,
    SendsAnything,
    FrameTwice,
    FrameLost,
    FramesSwapped,
    BodyChanged,
    EndTwice,
    EndNever,
    OtherReason,
    HelloLost,
    NoTimers,
    OpenedTwice,
}

/// Which property and setup show it.
pub(crate) const MUTANTS: &[(Property, Mutant, &str)] = &[
    (Property::F4, Mutant::HelloTwice, "both speak"),
    (Property::F4, Mutant::FrameBeforeHello, "both speak"),
    (Property::F4, Mutant::FrameBehindClose, "both speak"),
    (Property::F5, Mutant::OtherCapabilities, "both speak"),
    (Property::F6, Mutant::SendsAnything, "bodies"),
    (Property::F9, Mutant::SendsAnything, "bodies"),
    (Property::F7, Mutant::FrameTwice, "both speak"),
    (Property::F7, Mutant::FrameLost, "nothing goes wrong"),
    (Property::F7, Mutant::FramesSwapped, "both speak"),
    (Property::F7, Mutant::BodyChanged, "both speak"),
    (Property::F8, Mutant::EndTwice, "both speak"),
    (Property::F8, Mutant::EndNever, "both speak"),
    (Property::F8, Mutant::OtherReason, "both speak"),
    (Property::F9, Mutant::HelloLost, "both speak"),
    (Property::F10, Mutant::NoTimers, "nothing is said"),
    (Property::NoMisuse, Mutant::OpenedTwice, "both speak"),
];

fn of_application(word: &Word) -> bool {
    matches!(word, Word::Frame(frame) if frame.protocol != Protocol::LINK)
}

fn greets(frame: &Frame) -> bool {
    frame.protocol == Protocol::LINK && frame.kind == Hello::KIND
}

impl Mutant {
    /// What the first end does, but for what its application has asked for.
    pub(crate) fn leaving(self, at: usize, mut outputs: Vec<Output>) -> Vec<Output> {
        if at != 0 {
            return outputs;
        }
        let stray = Frame { protocol: Protocol::GROUP, kind: 1, flags: FrameFlags::empty(), body: vec![1].into() };
        let hello = outputs.iter().position(|output| matches!(output, Output::Send(frame) if greets(frame)));
        let close = outputs.iter().position(|output| *output == Output::Close);
        let ended = outputs.iter().position(|output| matches!(output, Output::Event(Event::Closed(_))));
        match (self, hello, close, ended) {
            (Self::HelloTwice, Some(hello), ..) => outputs.insert(hello, outputs[hello].clone()),
            (Self::FrameBeforeHello, Some(hello), ..) => outputs.insert(hello, Output::Send(stray)),
            (Self::FrameBehindClose, _, Some(close), _) => outputs.insert(close, Output::Send(stray)),
            (Self::EndTwice, .., Some(ended)) => outputs.push(outputs[ended].clone()),
            (Self::EndNever, .., Some(ended)) => drop(outputs.remove(ended)),
            (Self::OtherReason, .., Some(ended)) => {
                if let Output::Event(Event::Closed(Ending::Peer(close))) = &mut outputs[ended] {
                    close.reason = CloseReason::INTERNAL;
                }
            }
            _ => {}
        }
        outputs
    }

    /// What comes from the first end, on its way to the second.
    pub(crate) fn under_way(self, from: usize, word: Word, way: &mut VecDeque<Word>) {
        let application = from == 0 && of_application(&word);
        match self {
            Self::FrameTwice if application => way.extend([word.clone(), word]),
            Self::FrameLost if application => {}
            Self::FramesSwapped if application && way.back().is_some_and(of_application) => {
                way.insert(way.len() - 1, word);
            }
            Self::HelloLost | Self::NoTimers if from == 0 && matches!(&word, Word::Frame(frame) if greets(frame)) => {}
            _ => way.push_back(word),
        }
    }

    /// What the second end reads.
    pub(crate) fn arriving(self, at: usize, mut frame: Frame) -> Frame {
        match self {
            Self::OtherCapabilities if at == 1 && greets(&frame) => {
                let mut hello = Hello::from_frame(&frame).expect("it is ours");
                hello.offers.iter_mut().for_each(|offer| offer.capabilities = Capabilities::from_bits_retain(0xff));
                hello.to_frame().expect("it can be said")
            }
            Self::BodyChanged if at == 1 && frame.protocol != Protocol::LINK => {
                frame.body = frame.body.iter().map(|byte| byte ^ 0x10).collect();
                frame
            }
            _ => frame,
        }
    }
}

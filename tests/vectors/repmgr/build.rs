//! The same sessions through the public API give the captured bytes.

use super::{Stream, streams, streams_of};
use bytes::BytesMut;
use handover::repmgr::handshake::{
    Confirmation, Control, Handshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use handover::repmgr::message::{AppMessage, AppResponse, Message, ResponseError, Wanted};
use handover::repmgr::{AckPolicy, ConnectionFlags, ErrorCode, Host, Segments};
use handover::wire::Encode;

fn localhost() -> Host {
    Host::new("127.0.0.1").unwrap()
}

fn bytes(messages: &[Message]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    messages.iter().for_each(|message| message.encode_to(&mut bytes).unwrap());
    bytes.to_vec()
}

fn stream(file: &'static str, index: usize) -> Stream {
    streams_of(file).swap_remove(index)
}

fn site(port: u16, flags: ConnectionFlags) -> SiteParameters {
    SiteParameters::new(localhost(), port, Control::v4(AckPolicy::QUORUM, flags))
}

/// The handshakes of a site's channel.
fn opens(port: u16) -> [Message; 2] {
    let flags = ConnectionFlags::APP_CHANNEL | ConnectionFlags::ELECTABLE;
    let proposal = Handshake::from(Proposal::new(localhost(), port, 100, VersionRange::ALL));
    [proposal.into(), Handshake::from(Parameters { site: site(port, flags) }).into()]
}

fn confirms(port: u16) -> Message {
    Handshake::from(Confirmation::new(site(port, ConnectionFlags::ELECTABLE))).into()
}

fn request(parts: &[&'static str], tag: u32, bulk: bool, limit: Option<u32>) -> Message {
    AppMessage::request(parts.iter().copied().collect(), Wanted { tag, bulk, limit }).into()
}

fn send(parts: &[&'static str]) -> Message {
    AppMessage::new(parts.iter().copied().collect()).into()
}

fn answer(tag: u32, text: &'static str) -> Message {
    AppResponse::single(tag, text).into()
}

fn error(tag: u32, code: ErrorCode) -> Message {
    ResponseError { tag, code }.into()
}

#[test]
fn a_channel_with_messages() {
    let [proposal, parameters] = opens(6112);
    let said = [proposal, parameters, send(&["Hello,repmgr!"]), send(&["12345678"])];
    assert_eq!(bytes(&said), stream("s02_send_msg_one", 0).bytes());
    assert_eq!(bytes(&[confirms(6111)]), stream("s02_send_msg_one", 1).bytes());
}

#[test]
fn requests_and_answers() {
    let [proposal, parameters] = opens(6132);
    let said = [
        proposal,
        parameters,
        request(&["question-1"], 0, false, None),
        request(&["question-2", "extra"], 0, false, Some(64)),
        request(&["question-3"], 0, false, None),
        request(&[], 0, false, None),
        request(&["question-4"], 0, false, None),
    ];
    assert_eq!(bytes(&said), stream("s04_request_response", 0).bytes());
    let texts = ["question-1", "question-2", "question-3", "", "question-4"];
    let answers: Vec<Message> =
        [confirms(6131)].into_iter().chain(texts.into_iter().map(|text| answer(0, text))).collect();
    assert_eq!(bytes(&answers), stream("s04_request_response", 1).bytes());
}

#[test]
fn requests_for_blocks() {
    let [proposal, parameters] = opens(6182);
    let wants = |text, limit| request(&[text], 0, true, limit);
    let said = [
        proposal,
        parameters,
        wants("multi:4", None),
        wants("multi:4", Some(256)),
        wants("multi:4", Some(16)),
        wants("echo", None),
        wants("zero", None),
        wants("empty", None),
        wants("noresp", None),
        wants("multi:1", None),
    ];
    assert_eq!(bytes(&said), stream("s09_bulk_response", 0).bytes());
    let block = |parts: &[&'static str]| {
        Message::from(AppResponse::bulk(0, &parts.iter().copied().collect()).expect("it is short"))
    };
    let four = || block(&["part0", "", "part2", "part3"]);
    let answers = [
        confirms(6181),
        four(),
        four(),
        error(0, ErrorCode::BUFFER_SMALL),
        block(&["echo"]),
        block(&[]),
        block(&[""]),
        error(0, ErrorCode::KEY_EMPTY),
        block(&["part0"]),
    ];
    // The one empty segment came from memory that was not aligned, with three zeros for company.
    let came = stream("s09_bulk_response", 1).messages();
    assert_eq!(came.len(), answers.len());
    for (ours, came) in answers.iter().zip(&came) {
        let (Message::Response(ours), Message::Response(came)) = (ours, came) else {
            assert_eq!(ours, came);
            continue;
        };
        let (segments, expected) = (came.segments().unwrap(), ours.segments().unwrap());
        assert_eq!((came.tag, &segments), (ours.tag, &expected));
        assert_eq!(came.body == ours.body, segments.is_canonical(), "{segments:?}");
    }
}

/// A program that is no site and knows nothing but the wire.
#[test]
fn a_stranger() {
    for (index, came) in streams_of("s16_python_interop").into_iter().enumerate() {
        if came.dir != "a2b" {
            continue;
        }
        let messages = came.messages();
        let [Message::Handshake(Handshake::Proposal(proposal)), Message::Handshake(Handshake::Parameters(said)), ..] =
            &messages[..]
        else {
            panic!("{index}: {messages:?}");
        };
        // It opens the channel as we would: whoever it is does not matter.
        assert_eq!(proposal, &Proposal::new(proposal.host.clone(), 0, 0, proposal.versions), "{index}");
        let ours = Parameters::channel(said.site.host.clone(), said.site.port);
        assert_eq!(ours.site.control.flags(), said.site.control.flags(), "{index}");
    }
}

/// Every message of every channel again, out of nothing but its parts.
#[test]
fn every_message_from_its_parts() {
    let (mut same, mut other) = (0, 0);
    for stream in streams() {
        for message in stream.messages() {
            let Message::App(came) = &message else { continue };
            let segments: Segments = came.segments.slices().map(<[u8]>::to_vec).collect();
            let ours = match came.wanted() {
                Some(wanted) => AppMessage::request(segments, wanted),
                None => AppMessage::new(segments),
            };
            assert_eq!(&ours, came, "{}", stream.name());
            if ours.to_vec() == came.to_vec() { same += 1 } else { other += 1 }
        }
    }
    // The others came from memory that was not aligned.
    assert_eq!((same, other), (63, 4));
}

//! Every committed seed of the fuzz targets (fuzz/seeds), through the same oracles, on stable Rust.
//!
//! A seed is the whole input of its target. Those that are called `fixed-…` once showed a fault.

#[allow(dead_code, reason = "the other test needs more of it")]
#[path = "rows/transitions.rs"]
mod transitions;

use handover::frame::{Frame, FrameFlags, Protocol};
use handover::limits::FrameLimits;
use handover::testing::spice_machines::{
    run_client, run_data, run_link, run_parties, run_roundtrip, run_source, run_target,
};
use handover::testing::{
    deferral, deferral_machines, deferral_text, frame, frame_machines, group, group_machines, repmgr_codec,
    repmgr_machines, tds5_codec, tds5_machines,
};
use handover::wire::Framer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The targets with their oracles.
type Oracle = fn(&[u8]);
const TARGETS: &[(&str, Oracle)] = &[
    ("spice_link", run_link),
    ("spice_data", run_data),
    ("spice_roundtrip", run_roundtrip),
    ("spice_source", run_source),
    ("spice_target", run_target),
    ("spice_client", run_client),
    ("spice_parties", run_parties),
    ("tds5_packets", tds5_codec::run_packets),
    ("tds5_tokens", tds5_codec::run_tokens),
    ("tds5_login", tds5_codec::run_login),
    ("tds5_roundtrip", tds5_codec::run_roundtrip),
    ("tds5_server", tds5_machines::run_server),
    ("tds5_target", tds5_machines::run_target),
    ("tds5_client", tds5_machines::run_client),
    ("tds5_parties", tds5_machines::run_parties),
    ("repmgr_frames", repmgr_codec::run_frames),
    ("repmgr_segments", repmgr_codec::run_segments),
    ("repmgr_handshake", repmgr_codec::run_handshake),
    ("repmgr_roundtrip", repmgr_codec::run_roundtrip),
    ("repmgr_connection", repmgr_machines::run_connection),
    ("repmgr_channel", repmgr_machines::run_channel),
    ("repmgr_dispatcher", repmgr_machines::run_dispatcher),
    ("repmgr_sites", repmgr_machines::run_sites),
    ("frame_stream", frame::run_stream),
    ("frame_link", frame_machines::run_link),
    ("deferral_messages", deferral::run_messages),
    ("deferral_roundtrip", deferral::run_roundtrip),
    ("deferral_text_call", deferral_text::run_text_call),
    ("deferral_text_answer", deferral_text::run_text_answer),
    ("deferral_client", deferral_machines::run_client),
    ("deferral_server", deferral_machines::run_server),
    ("deferral_parties", deferral_machines::run_parties),
    ("group_messages", group::run_messages),
    ("group_roundtrip", group::run_roundtrip),
    ("group_coordinator", group_machines::run_coordinator),
    ("group_process", group_machines::run_process),
    ("group_replica", group_machines::run_replica),
    ("group_parties", group_machines::run_parties),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The package that is published has no fuzz/.
fn is_packaged() -> bool {
    let packaged = !root().exists();
    if packaged {
        println!("skipped: fuzz/ is not part of the published package");
    }
    packaged
}

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("seeds").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("it can be listed").path();
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("it can be read"))
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "{target} has {} seeds", seeds.len());
    seeds
}

fn replay(target: &str) {
    if is_packaged() {
        return;
    }
    let (_, oracle) = TARGETS.iter().find(|(name, _)| *name == target).expect("it is in the table");
    for (name, bytes) in seeds(target) {
        println!("{target}/{name}");
        oracle(&bytes);
    }
}

macro_rules! replays {
    ($($target:ident)+) => {$(
        #[test]
        fn $target() {
            replay(stringify!($target));
        }
    )+};
}

replays! { spice_link spice_data spice_roundtrip spice_source spice_target spice_client spice_parties }
replays! { tds5_packets tds5_tokens tds5_login tds5_roundtrip tds5_server tds5_target tds5_client tds5_parties }
replays! { repmgr_frames repmgr_segments repmgr_handshake repmgr_roundtrip }
replays! { repmgr_connection repmgr_channel repmgr_dispatcher repmgr_sites }
replays! { frame_stream frame_link }
replays! { deferral_messages deferral_roundtrip }
replays! { deferral_text_call deferral_text_answer }
replays! { deferral_client deferral_server deferral_parties }
replays! { group_messages group_roundtrip }
replays! { group_coordinator group_process group_replica group_parties }

/// The seeds of the machines lead deep enough for a fuzzer to start from.
#[test]
fn seeds_get_far() {
    let far = [
        ("spice_source", "Connected", "CompletedWithClients"),
        ("spice_source", "Announced", "CompletedWithClients"),
        ("spice_source", "WaitDisconnect", "AllGone"),
        ("spice_source", "WaitConnect", "ConnectTimeout"),
        ("spice_target", "MigWait", "RefuseSeamless"),
        ("spice_target", "SeamlessWait", "AllData"),
        ("spice_target", "Starting", "Init"),
        ("spice_client", "Ready", "End"),
        ("spice_client", "AwaitingInit", "Init"),
        ("spice_client", "Moving", "AllMoved"),
        ("spice_client", "Moving", "TargetLost"),
        ("spice_client", "JoiningSeamless", "AllLinked"),
        ("spice_client", "Ready", "SwitchHost"),
        ("spice_parties", "Moving", "AllMoved"),
        ("spice_parties", "AwaitingInit", "Init"),
        ("spice_parties", "Switching", "MainLinked"),
        ("tds5_server", "Deciding", "Left"),
        ("tds5_server", "Migrating", "FellBack"),
        ("tds5_server", "Failed", "Resumed"),
        ("tds5_target", "Negotiating", "Answered"),
        ("tds5_target", "Resuming", "Completed"),
        ("tds5_client", "Moving", "MigratedWaiting"),
        ("tds5_client", "Moving", "FailWaiting"),
        ("tds5_client", "Resuming", "Sync"),
        ("tds5_client", "LoggingIn", "NextAddress"),
        ("tds5_parties", "Moving", "MigratedWaiting"),
        ("tds5_parties", "Moving", "FailWaiting"),
        ("tds5_parties", "Synced", "IgnoreWaiting"),
        ("tds5_parties", "Migrating", "Closed"),
        ("repmgr_connection", "Asked", "Answered"),
        ("repmgr_connection", "Introducing", "Introduced"),
        ("repmgr_channel", "Congested", "LostWhileWaiting"),
        ("repmgr_channel", "Congested", "MovedWhileWaiting"),
        ("repmgr_channel", "Draining", "Closed"),
        ("repmgr_dispatcher", "Answered", "Lost"),
        ("repmgr_dispatcher", "Refusing", "Served"),
        ("repmgr_sites", "Congested", "LostWhileWaiting"),
        ("repmgr_sites", "Dialling", "MovedWhileWaiting"),
        ("repmgr_sites", "Local", "Moved"),
        ("repmgr_sites", "Answered", "Lost"),
        ("frame_link", "Opening", "TimedOut"),
        ("frame_link", "Greeting", "Violated"),
        ("frame_link", "Greeting", "TimedOut"),
        ("frame_link", "Greeting", "NothingInCommon"),
        ("frame_link", "Ready", "Violated"),
        ("frame_link", "Ready", "Closed"),
        ("deferral_client", "Executing", "AllBusy"),
        ("deferral_client", "Queued", "Paused"),
        ("deferral_client", "Asking", "Paused"),
        ("deferral_client", "Pausing", "Next"),
        ("deferral_server", "Draining", "Stop"),
        ("deferral_server", "Stopped", "Drain"),
        ("deferral_parties", "Executing", "Next"),
        ("deferral_parties", "Queued", "Executing"),
        ("deferral_parties", "Asking", "Next"),
        ("deferral_parties", "Stopped", "Serve"),
        ("group_coordinator", "Recovering", "Recovered"),
        ("group_coordinator", "Voting", "Continues"),
        ("group_coordinator", "Voting", "Decided"),
        ("group_coordinator", "Keeping", "Rejected"),
        ("group_coordinator", "Idle", "Dissolved"),
        ("group_process", "Inside", "Lost"),
        ("group_process", "Voted", "Waits"),
        ("group_process", "Active", "Gone"),
        ("group_replica", "Asking", "Elected"),
        ("group_replica", "Reigning", "Yields"),
        ("group_parties", "Recovering", "Recovered"),
        ("group_parties", "Voted", "Phase"),
        ("group_parties", "Entering", "Lost"),
        ("group_parties", "Voting", "Rejected"),
    ];
    if is_packaged() {
        return;
    }
    for (target, from, on) in far {
        let taken = transitions::taken(|| replay(target));
        let is_taken = taken.iter().any(|[_, state, event, _]| state == from && event == on);
        assert!(is_taken, "no seed of {target} takes {from} + {on}");
    }
}

/// The seeds of the group protocol's codec have every kind of message, good and refused.
#[test]
fn seeds_of_the_codec_get_far() {
    use handover::frame::{FrameStream, Native};
    use handover::group::MessageKind;
    use handover::group::message::Message;
    use handover::testing::Choices;

    if is_packaged() {
        return;
    }
    let every: BTreeSet<u8> = (0..=u8::MAX).filter(|kind| MessageKind(*kind).name().is_some()).collect();
    let known = |kinds: BTreeSet<u8>| kinds.intersection(&every).copied().collect::<BTreeSet<u8>>();
    let made =
        seeds("group_roundtrip").iter().map(|(_, bytes)| group::message(&mut Choices::new(bytes)).kind()).collect();
    assert_eq!(known(made), every, "decisions");
    // The first byte is the form: 0 is a message's kind, flags and body, 2 a stream behind cuts of which there are none.
    let (mut good, mut refused, mut streamed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (name, bytes) in seeds("group_messages") {
        match bytes.first() {
            Some(0) => {
                let (flags, body) = (FrameFlags::from_bits_retain(bytes[2]), bytes[3..].to_vec().into());
                let frame = Frame { protocol: Protocol::GROUP, kind: bytes[1], flags, body };
                let list = if Message::from_frame(&frame).is_ok() { &mut good } else { &mut refused };
                assert_eq!(name.starts_with("bad-"), Message::from_frame(&frame).is_err(), "{name}");
                list.insert(bytes[1]);
            }
            Some(2) => {
                let mut frames = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
                frames.push(&bytes[2..]);
                let frames = std::iter::from_fn(|| frames.next_item().ok().flatten());
                streamed.extend(frames.filter(|frame| frame.protocol == Protocol::GROUP).map(|frame| frame.kind));
            }
            _ => {}
        }
    }
    assert_eq!((known(good), known(refused), known(streamed)), (every.clone(), every.clone(), every));
}

/// Each target is a few lines over an oracle that is replayed here.
#[test]
fn every_target_is_replayed() {
    if is_packaged() {
        return;
    }
    let folder = root().join("fuzz_targets");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("it can be listed").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} is not replayed");
        let (_room, oracle) = name.split_once('_').expect("a target is called by its room and its oracle");
        assert!(text.contains(&format!("run_{oracle}(")), "{name} runs something else");
    }
}

//! What the vectors of the native protocols share: files of frames in hexadecimal, with what is in them.

pub(crate) mod protocol;

use crate::input::Conversation;
use handover::frame::{Extension, ExtensionType, Extensions, Frame, FrameStream};
use handover::limits::FrameLimits;
use handover::wire::Framer;
use serde::Deserialize;
use std::fs;
use std::path::Path;

pub(crate) const LIMITS: FrameLimits = FrameLimits::DEFAULT;

#[derive(Deserialize)]
pub(crate) struct ExtensionVector {
    #[serde(rename = "type")]
    ty: u16,
    value: String,
}

/// A frame that is refused: on which field, and with which kind of error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedVector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<String>,
    pub(crate) field: String,
    pub(crate) kind: String,
}

/// Hexadecimal; spaces mean nothing.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|digit| *digit != ' ').collect();
    let pair = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal");
    digits.chunks(2).map(pair).collect()
}

/// What a file of a protocol's vectors lists.
pub(crate) fn read<T: for<'a> Deserialize<'a>>(directory: &str, name: &str) -> Vec<T> {
    let text = fs::read_to_string(Path::new(directory).join(name)).expect("it is there");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The one frame that the bytes are.
pub(crate) fn frame(bytes: &[u8]) -> Frame {
    let mut framer = Framer::new(FrameStream::new(&LIMITS));
    framer.push(bytes);
    let frame = framer.next_item().expect("well-formed").expect("whole");
    assert_eq!((framer.next_item(), framer.buffered()), (Ok(None), 0));
    frame
}

pub(crate) fn extensions(list: &[ExtensionVector]) -> Extensions {
    let values: Vec<_> = list.iter().map(|extension| (ExtensionType(extension.ty), unhex(&extension.value))).collect();
    Extensions::new(values.iter().map(|(ty, value)| Extension { ty: *ty, value })).expect("they are short")
}

/// A file's lines of links, each of which is said of one direction, and the links that they are.
pub(crate) fn links<L: for<'a> Deserialize<'a>>(directory: &str) -> (Vec<L>, Vec<Conversation>) {
    let path = Path::new(directory).join("links.jsonl");
    let text = fs::read_to_string(&path).expect("it is there");
    let lines: Vec<L> = text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    let streams = crate::input::read(&path, &[]).expect("links").conversations;
    assert_eq!(2 * streams.len(), lines.len());
    (lines, streams)
}

/// The files are those that the tests read.
pub(crate) fn check_files(directory: &str) {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "README.md").collect();
    names.sort();
    assert_eq!(names, ["links.jsonl", "messages.json", "refused.json"]);
}

/// A section of a text of spec/, by its number.
pub(crate) fn section(text: &str, number: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("spec").join(text)).unwrap();
    let begins = |part: &&str| part.trim_start_matches('#').trim_start().starts_with(&format!("{number} "));
    text.split("\n##").find(begins).unwrap_or_else(|| panic!("section {number}")).to_owned()
}

/// The blocks of a section.
pub(crate) fn blocks(section: &str) -> Vec<&str> {
    section.split("```").skip(1).step_by(2).collect()
}

/// The hexadecimal digits that the lines of a block begin with.
pub(crate) fn shown(block: &str) -> String {
    let is_hex = |word: &&str| word.len().is_multiple_of(2) && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    block.lines().flat_map(|line| line.split_whitespace().take_while(is_hex)).collect()
}

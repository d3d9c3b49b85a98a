//! What tshark says of a capture: PDML, of which we need elements and attributes and nothing else.

/// An element: a protocol or a field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// The value as it is shown.
    pub(crate) show: String,
    /// The line that stands for it.
    pub(crate) line: String,
    /// Where it stands in the reassembled payload, and how long it is.
    pub(crate) pos: usize,
    pub(crate) size: usize,
    /// Its bytes.
    pub(crate) value: Vec<u8>,
    pub(crate) children: Vec<Self>,
}

impl Node {
    /// This one and all below it, in order.
    pub(crate) fn walk(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.children.iter().flat_map(Self::walk)).collect()
    }

    /// The first below it with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.walk().into_iter().find(|node| node.name == name)
    }

    /// The number that it shows.
    pub(crate) fn number(&self) -> u64 {
        let number = match self.show.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => self.show.parse(),
        };
        number.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The root of a document, whose children are the packets.
pub(crate) fn parse(text: &str) -> Node {
    let mut open = vec![Node::default()];
    for tag in text.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        match tag.chars().next() {
            Some('?' | '!') => {}
            Some('/') => close(&mut open),
            _ => {
                open.push(node(tag));
                if tag.ends_with('/') {
                    close(&mut open);
                }
            }
        }
    }
    assert_eq!(open.len(), 1, "every element is closed");
    open.remove(0)
}

fn close(open: &mut Vec<Node>) {
    let node = open.pop().expect("an open element");
    open.last_mut().expect("the root").children.push(node);
}

fn node(tag: &str) -> Node {
    let mut node = Node::default();
    let mut parts = tag.split('"');
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        let key = key.rsplit(' ').next().unwrap_or_default();
        match key {
            "name=" => node.name = unescape(value),
            "show=" => node.show = unescape(value),
            "showname=" => node.line = unescape(value),
            "pos=" => node.pos = value.parse().unwrap_or_default(),
            "size=" => node.size = value.parse().unwrap_or_default(),
            "value=" => node.value = unhex(value),
            _ => {}
        }
    }
    node
}

/// Fields of single bits have a digit for a value: they give no bytes.
fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&apos;", "'")] {
        plain = plain.replace(escaped, character);
    }
    plain.replace("&amp;", "&")
}

#[test]
fn documents_are_read() {
    let root = parse(
        "<?xml version=\"1.0\"?>\n<!-- no -->\n<pdml>\n<packet>\n  <proto name=\"tds\" pos=\"40\">\n    \
         <field name=\"a\" showname=\"A: &lt;1&gt; &amp; &quot;x&quot;\" size=\"2\" pos=\"3\" show=\"0x1f\" value=\"1f00\"/>\n    \
         <field name=\"b\" show=\"7\" value=\"1\"><field name=\"c\" show=\"\"/></field>\n  </proto>\n</packet>\n</pdml>\n",
    );
    let nodes = root.walk();
    let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["", "", "", "tds", "a", "b", "c"]);
    let a = root.find("a").unwrap();
    assert_eq!((a.number(), a.pos, a.size, &a.value[..]), (31, 3, 2, &[0x1f, 0][..]));
    assert_eq!((a.line.as_str(), root.find("b").unwrap().number()), ("A: <1> & \"x\"", 7));
}

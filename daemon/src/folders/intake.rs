//! Requests as they lie in `req/`: bytes in, what is asked for out. Pure.
//!
//! What is read was written by anybody who may write into the folder. There is no document type and no entity of one's own, no
//! deep nesting, no tag of more than a kilobyte; every element that counts stands exactly once and holds nothing but text.

use encoding_rs::SHIFT_JIS;
use roxmltree::{Document, Node, ParsingOptions};

use crate::domain::folder_file::RequestKind;
use crate::domain::identifiers::{InquiryNumber, InstitutionCode, InsuranceIdentifiers, Invalid};
use crate::domain::queue::BulkId;

/// Longest file that is read, in bytes: consumers have the same limit.
pub const LONGEST: usize = 4 << 20;
/// Items of one bulk, as over the API.
const MOST_ITEMS: usize = 10_000;
/// Longest ArbitraryFileIdentifier, in characters.
const LONGEST_IDENTIFIER: usize = 128;
/// Deeper than any message of the protocol.
const DEEPEST: usize = 8;
/// Longer than any tag of the protocol.
const LONGEST_TAG: usize = 1024;
/// More nodes than a full bulk has.
const MOST_NODES: u32 = 300_000;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// ArbitraryFileIdentifier.
    pub identifier: Option<String>,
    /// What is asked for.
    pub asked: Asked,
}

/// A person and the number that is to be theirs.
pub type Item = (InsuranceIdentifiers, InquiryNumber);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Register one number.
    Single(Item),
    /// Register these.
    Bulk(Vec<Item>),
    /// What became of a bulk; `None`: no number of ours.
    BulkOutcome(Option<BulkId>),
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than [`LONGEST`].
    TooLarge,
    /// Its bytes are not of the character set that it names, or of one that is not read.
    Encoding,
    /// It holds a document type declaration.
    DocumentType,
    /// It is not well-formed, or nested deeper or longer than any message.
    Markup,
    /// An element that counts is missing, stands more than once or holds other elements.
    Structure(&'static str),
    /// It names another institution.
    Institution,
    /// A value breaks its rule.
    Value {
        /// Which item of a bulk, from 1.
        item: Option<usize>,
        /// The rule, in Japanese.
        rule: &'static str,
    },
}

impl Fault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "folder_request_too_large",
            Self::Encoding => "folder_request_encoding",
            Self::DocumentType => "folder_request_document_type",
            Self::Markup => "folder_request_malformed",
            Self::Structure(_) => "folder_request_structure",
            Self::Institution => "folder_request_institution",
            Self::Value { .. } => "folder_request_value",
        }
    }

    /// In Japanese, for people; holds no value of the request.
    pub fn message(self) -> String {
        match self {
            Self::TooLarge => "ファイルが4MiBを超えています。".to_owned(),
            Self::Encoding => {
                "文字コードが正しくありません。Shift_JISまたはUTF-8で書いてください。".to_owned()
            }
            Self::DocumentType => "文書型宣言（DOCTYPE）は使えません。".to_owned(),
            Self::Markup => "XMLとして正しくありません。".to_owned(),
            Self::Structure(tag) => format!("{tag} がないか、2つ以上あるか、形が正しくありません。"),
            Self::Institution => "医療機関等コードがこの施設のものではありません。".to_owned(),
            Self::Value { item: None, rule } => format!("{rule}。"),
            Self::Value { item: Some(item), rule } => format!("{item}件目: {rule}。"),
        }
    }

    /// Whether a file that is still being written could look like this.
    pub fn may_be_unfinished(self) -> bool {
        matches!(self, Self::Markup | Self::Encoding)
    }
}

/// A request that is not carried out, and as much of it as an answer repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// MedicalInstitutionCode, if it is one.
    pub institution: Option<InstitutionCode>,
    /// ArbitraryFileIdentifier, if it was readable.
    pub identifier: Option<String>,
    /// Why.
    pub fault: Fault,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { institution: None, identifier: None, fault }
    }
}

/// Reads a request of this kind for this institution.
pub fn read(kind: RequestKind, bytes: &[u8], institution: &InstitutionCode) -> Result<Request, Refused> {
    if bytes.len() > LONGEST {
        return Err(Fault::TooLarge.into());
    }
    let text = decode(bytes)?;
    tame(&text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, entity_resolver: None };
    let document = Document::parse_with_options(&text, options).map_err(|error| match error {
        roxmltree::Error::DtdDetected => Fault::DocumentType,
        _ => Fault::Markup,
    })?;
    let root = document.root_element();
    if !is(root, "XmlMsg") {
        return Err(Fault::Structure("XmlMsg").into());
    }
    let header = one(root, "MessageHeader")?;
    let identifier = optional(header, "ArbitraryFileIdentifier")?.map(str::to_owned);
    if !identifier.as_deref().is_none_or(is_identifier) {
        return Err(Fault::Structure("ArbitraryFileIdentifier").into());
    }
    let named = required(header, "MedicalInstitutionCode").map(InstitutionCode::parse);
    let refused = |fault| {
        let institution = named.clone().ok().and_then(Result::ok);
        Refused { institution, identifier: identifier.clone(), fault }
    };
    match &named {
        Ok(Ok(named)) if named == institution => {}
        Ok(_) => return Err(refused(Fault::Institution)),
        Err(fault) => return Err(refused(*fault)),
    }
    let asked = one(root, "MessageBody").and_then(|body| body_of(kind, body)).map_err(refused)?;
    Ok(Request { identifier, asked })
}

/// UTF-8 or Shift_JIS, as the declaration says; without one whichever fits.
fn decode(bytes: &[u8]) -> Result<String, Fault> {
    let utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let shift_jis = |bytes: &[u8]| {
        SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
    };
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return utf8(rest).ok_or(Fault::Encoding);
    }
    match declared(bytes).map(str::to_ascii_lowercase).as_deref() {
        Some("utf-8" | "utf8" | "us-ascii" | "ascii") => utf8(bytes),
        Some("shift_jis" | "shift-jis" | "sjis" | "x-sjis" | "windows-31j" | "cp932" | "ms932") => {
            shift_jis(bytes)
        }
        Some(_) => None,
        None => utf8(bytes).or_else(|| shift_jis(bytes)),
    }
    .ok_or(Fault::Encoding)
}

/// The encoding in the XML declaration.
fn declared(bytes: &[u8]) -> Option<&str> {
    const LONGEST_DECLARATION: usize = 256;
    let start = bytes.get(..bytes.len().min(LONGEST_DECLARATION))?;
    let end = start.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(start.get(..end)?).ok()?.strip_prefix("<?xml")?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value.get(1..)?.split_once(quote).map(|(name, _)| name)
}

/// Refuses what costs a parser more than its length: document types, nesting, tags with many attributes.
fn tame(text: &str) -> Result<(), Fault> {
    let (mut rest, mut depth) = (text, 0_usize);
    while let Some((_, after)) = rest.split_once('<') {
        let end = match after.as_bytes() {
            [b'!', b'-', b'-', ..] => "-->",
            [b'!', b'[', ..] => "]]>",
            [b'!', ..] => return Err(Fault::DocumentType),
            _ => ">",
        };
        let (tag, next) = after.split_once(end).ok_or(Fault::Markup)?;
        rest = next;
        if end != ">" {
            continue;
        }
        if tag.len() > LONGEST_TAG {
            return Err(Fault::Markup);
        }
        match tag.as_bytes() {
            [b'?', ..] | [.., b'/'] => {}
            [b'/', ..] => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
        if depth > DEEPEST {
            return Err(Fault::Markup);
        }
    }
    Ok(())
}

fn is(node: Node<'_, '_>, tag: &str) -> bool {
    node.is_element() && node.tag_name().name() == tag
}

/// The only child with this name.
fn one<'a, 'i>(parent: Node<'a, 'i>, tag: &'static str) -> Result<Node<'a, 'i>, Fault> {
    let mut found = parent.children().filter(|child| is(*child, tag));
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node),
        _ => Err(Fault::Structure(tag)),
    }
}

/// The text of a child that may be missing, but not stand twice; empty counts as missing.
fn optional<'a>(parent: Node<'a, '_>, tag: &'static str) -> Result<Option<&'a str>, Fault> {
    let mut found = parent.children().filter(|child| is(*child, tag));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Fault::Structure(tag)),
        (Some(node), None) => {
            // A comment would cut a text in two, and a reader would take the first half for all of it.
            let mut children = node.children();
            match (children.next(), children.next()) {
                (None, _) => Ok(None),
                (Some(text), None) if text.is_text() => Ok(text.text()),
                _ => Err(Fault::Structure(tag)),
            }
        }
    }
}

fn required<'a>(parent: Node<'a, '_>, tag: &'static str) -> Result<&'a str, Fault> {
    optional(parent, tag)?.ok_or(Fault::Structure(tag))
}

fn is_identifier(text: &str) -> bool {
    (1..=LONGEST_IDENTIFIER).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn body_of(kind: RequestKind, body: Node<'_, '_>) -> Result<Asked, Fault> {
    const ITEM: &str = "ReferenceNumberRegistrationInfo";
    match kind {
        RequestKind::Single => Ok(Asked::Single(item(one(body, ITEM)?, None)?)),
        RequestKind::Bulk => {
            let items: Vec<_> = body.children().filter(|child| is(*child, ITEM)).collect();
            if items.is_empty() || items.len() > MOST_ITEMS {
                return Err(Fault::Structure(ITEM));
            }
            let read = items.into_iter().enumerate().map(|(index, node)| item(node, Some(index + 1)));
            read.collect::<Result<_, _>>().map(Asked::Bulk)
        }
        RequestKind::BulkOutcome => {
            let number = required(body, "ReceptionNumber")?;
            let ours = number.bytes().all(|byte| byte.is_ascii_digit());
            Ok(Asked::BulkOutcome(number.parse().ok().filter(|_| ours).map(BulkId)))
        }
    }
}

fn item(node: Node<'_, '_>, item: Option<usize>) -> Result<Item, Fault> {
    let value = |Invalid { rule, .. }: Invalid| Fault::Value { item, rule };
    let number = InquiryNumber::parse(required(node, "ReferenceNumber")?).map_err(value)?;
    let person = InsuranceIdentifiers::parse(
        required(node, "InsurerNumber")?,
        optional(node, "InsuredCardSymbol")?,
        required(node, "InsuredIdentificationNumber")?,
        optional(node, "InsuredBranchNumber")?,
    );
    Ok((person.map_err(value)?, number))
}

#[cfg(test)]
mod tests;

//! Results as the files of OQS folders: the message `XmlMsg`, as over the API.

use super::layout;
use crate::app::folders::FaceForm;
use crate::app::ports::StoredResult;
use crate::domain::identifiers::InstitutionCode;
use crate::formats::{self, Charset, Format};

/// A result as `XmlMsg` in XML.
#[derive(Debug, Clone)]
pub struct FaceXml {
    /// Whose results these are.
    pub institution: InstitutionCode,
    /// The file's character set.
    pub charset: Charset,
}

impl FaceForm for FaceXml {
    fn render(&self, stored: &StoredResult) -> Vec<u8> {
        let document = formats::Document {
            institution: self.institution.clone(),
            charset: self.charset,
            made_at: stored.content.confirmation.processed_at,
        };
        formats::one(Format::XmlMsgXml, &document, &layout::row(stored)).0
    }
}

//! Names of the formats on the wire: their media types.

use super::{Charset, Format};

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] =
        [Self::XmlMsgXml, Self::XmlMsgJson, Self::Csv, Self::CopiedText, Self::FhirJson];

    /// Whether it is JSON, and so UTF-8 whatever the repertoire.
    pub fn is_json(self) -> bool {
        match self {
            Self::XmlMsgJson | Self::FhirJson => true,
            Self::XmlMsgXml | Self::Csv | Self::CopiedText => false,
        }
    }

    /// The media type with its parameters. Both repertoires of Shift_JIS are `Shift_JIS` to the field's software.
    pub fn media_type(self, charset: Charset) -> &'static str {
        let shift_jis = charset != Charset::Utf8;
        match self {
            Self::XmlMsgXml if shift_jis => "application/xml; charset=Shift_JIS",
            Self::XmlMsgXml => "application/xml; charset=utf-8",
            Self::XmlMsgJson => "application/x.xmlmsg+json",
            Self::Csv if shift_jis => "text/csv; charset=Shift_JIS; header=present",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::CopiedText if shift_jis => "text/plain; charset=Shift_JIS",
            Self::CopiedText => "text/plain; charset=utf-8",
            Self::FhirJson => "application/fhir+json; fhirVersion=4.0",
        }
    }
}

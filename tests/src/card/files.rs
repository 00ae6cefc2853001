//! What the JPKI application holds: which elementary files exist, what may be read, and EF 0006.

use crate::personas::Token;

/// DF name of the JPKI application.
pub const JPKI_AID: &[u8] = &[0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01];

/// DF name of the issuer security domain, current after power-on.
pub const ISD_AID: &[u8] = &[0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00];

/// Other applications of a plastic card: 券面事項確認, 券面事項入力補助, 住基, 共通カード. Selectable, but empty here.
const OTHER_AIDS: [&[u8]; 4] = [
    &[0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x02],
    &[0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08],
    &[0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x01],
    &[0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x01, 0x00],
];

/// An application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Application {
    /// Issuer security domain.
    Isd,
    /// 公的個人認証.
    Jpki,
    /// One of the others.
    Other(usize),
}

impl Application {
    /// The application with exactly this DF name; a phone has only the JPKI application.
    pub fn by_name(name: &[u8], token: Token) -> Option<Self> {
        if name == JPKI_AID {
            Some(Self::Jpki)
        } else if name == ISD_AID {
            Some(Self::Isd)
        } else if token == Token::Plastic {
            OTHER_AIDS.iter().position(|aid| *aid == name).map(Self::Other)
        } else {
            None
        }
    }

    /// Its DF name.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Isd => ISD_AID,
            Self::Jpki => JPKI_AID,
            Self::Other(index) => OTHER_AIDS.get(index).copied().unwrap_or_default(),
        }
    }
}

/// Which PIN of the JPKI application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinId {
    /// 利用者証明用 (EF 0018): four digits.
    UserAuthentication,
    /// 署名用 (EF 001B): 6 to 16 capital letters and digits.
    DigitalSignature,
}

/// An elementary file of the JPKI application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementaryFile {
    /// 0001: the signature certificate, which carries name and address.
    SignatureCertificate,
    /// 0002: its certification authority.
    SignatureAuthority,
    /// 0006: token information.
    TokenInfo,
    /// 0008: which certificates are present.
    Availability,
    /// 0009: protected by neither PIN; its purpose is not public.
    Protected,
    /// 000A: the user-authentication certificate.
    Certificate,
    /// 000B: its certification authority.
    Authority,
    /// 0017, 001A: a private key, and the PIN that opens it.
    Key(PinId),
    /// 0016: reference to the key that checks terminal certificates.
    TerminalKey,
    /// 0018, 001B: a PIN.
    Pin(PinId),
}

impl ElementaryFile {
    /// The file with an identifier; the short identifier is its low five bits.
    pub fn by_id(id: u16) -> Option<Self> {
        Some(match id {
            0x01 => Self::SignatureCertificate,
            0x02 => Self::SignatureAuthority,
            0x06 => Self::TokenInfo,
            0x08 => Self::Availability,
            0x09 => Self::Protected,
            0x0A => Self::Certificate,
            0x0B => Self::Authority,
            0x16 => Self::TerminalKey,
            0x17 => Self::Key(PinId::UserAuthentication),
            0x18 => Self::Pin(PinId::UserAuthentication),
            0x1A => Self::Key(PinId::DigitalSignature),
            0x1B => Self::Pin(PinId::DigitalSignature),
            _ => return None,
        })
    }

    /// What reading the file needs.
    pub fn read_access(self, token: Token) -> Access {
        match self {
            Self::Certificate if token == Token::Android => Access::Pin(PinId::UserAuthentication),
            Self::SignatureAuthority
            | Self::TokenInfo
            | Self::Availability
            | Self::Certificate
            | Self::Authority => Access::Free,
            Self::SignatureCertificate => Access::Pin(PinId::DigitalSignature),
            Self::Protected => Access::Never,
            Self::Key(_) | Self::TerminalKey | Self::Pin(_) => Access::WrongType,
        }
    }
}

/// What an access needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Free,
    /// A verified PIN.
    Pin(PinId),
    /// Refused as unauthorised, whatever was verified.
    Never,
    /// The file holds no bytes to read.
    WrongType,
}

/// Content of EF 0008: both certificates are present.
pub const AVAILABILITY: [u8; 3] = [0x8F, 0x8F, 0x00];

/// EF 0006: 160 bytes in the layout of PKCS#11 `CK_TOKEN_INFO`, numbers big-endian.
pub fn token_info(token: Token) -> Vec<u8> {
    let label = match token {
        Token::Plastic => "JPKIAPICCTOKEN2",
        Token::Android => "JPKIAPGPSETOKEN",
        Token::Iphone => "JPKIAPIOSTOKEN",
    };
    let mut info = format!("{label:<32}{:<32}{:<16}{:<16}", "JPKI-SIM", "SIM", "0000").into_bytes();
    // Flags, then session counts, longest and shortest PIN, and memory sizes that are not told.
    for number in [0x0000_040D, 1, 0, 1, 0, 16, 6_u32] {
        info.extend_from_slice(&number.to_be_bytes());
    }
    info.extend_from_slice(&[0xFF; 16]);
    // Hardware and firmware version, time.
    info.extend_from_slice(b"0301");
    info.extend_from_slice(&[b'9'; 16]);
    info
}

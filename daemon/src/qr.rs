//! QR codes of `otpauth://` addresses, for a terminal and for a page.

use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};

/// As SVG text; `None` if the text is too long for a QR code.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    Some(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// In block characters, dark on light whatever the terminal's colours; `None` if the text is too long for a QR code.
pub fn text(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (dark, light) = (unicode::Dense1x2::Light, unicode::Dense1x2::Dark);
    Some(code.render::<unicode::Dense1x2>().dark_color(dark).light_color(light).build())
}

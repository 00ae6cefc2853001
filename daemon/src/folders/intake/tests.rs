use super::*;

const OURS: &str = "1312345678";

fn institution() -> InstitutionCode {
    InstitutionCode::parse(OURS).unwrap()
}

fn info(number: &str) -> String {
    format!(
        "<ReferenceNumberRegistrationInfo><ReferenceNumber>{number}</ReferenceNumber>\
         <InsurerNumber>  138990</InsurerNumber><InsuredCardSymbol>架国・０１２３</InsuredCardSymbol>\
         <InsuredIdentificationNumber>0045678</InsuredIdentificationNumber>\
         <InsuredBranchNumber>00</InsuredBranchNumber></ReferenceNumberRegistrationInfo>"
    )
}

fn message(header: &str, body: &str) -> String {
    format!(
        "<XmlMsg><MessageHeader><MedicalInstitutionCode>{OURS}</MedicalInstitutionCode>{header}</MessageHeader>\
         <MessageBody>{body}</MessageBody></XmlMsg>"
    )
}

fn single(text: &str) -> Result<Request, Refused> {
    read(RequestKind::Single, text.as_bytes(), &institution())
}

fn fault(text: &str) -> Fault {
    single(text).unwrap_err().fault
}

fn numbers(request: &Request) -> Vec<&str> {
    match &request.asked {
        Asked::Single((_, number)) => vec![number.expose()],
        Asked::Bulk(items) => items.iter().map(|(_, number)| number.expose()).collect(),
        Asked::BulkOutcome(_) => Vec::new(),
    }
}

#[test]
fn a_request_is_read_in_both_character_sets() {
    let text = message("<ArbitraryFileIdentifier>A-1</ArbitraryFileIdentifier>", &info("ｶﾙﾃ１２"));
    let declared =
        |name: &str| format!("<?xml version=\"1.0\" encoding=\"{name}\" standalone=\"no\"?>\n{text}");
    let (shift_jis, _, _) = SHIFT_JIS.encode(&text);
    let (with_declaration, _, _) = {
        let text = declared("Shift_JIS");
        let (bytes, encoding, lost) = SHIFT_JIS.encode(&text);
        (bytes.into_owned(), encoding, lost)
    };
    let with_mark = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    for bytes in [
        text.as_bytes(),
        declared("UTF-8").as_bytes(),
        &shift_jis,
        &with_declaration,
        &with_mark,
        declared("utf-8").as_bytes(),
    ] {
        let request = read(RequestKind::Single, bytes, &institution()).unwrap();
        assert_eq!(request.identifier.as_deref(), Some("A-1"));
        let Asked::Single((person, number)) = request.asked else { panic!("a single request") };
        assert_eq!(number.expose(), "ｶﾙﾃ１２");
        assert_eq!(person.insurer_number.expose(), "  138990");
        assert_eq!(person.symbol.unwrap().expose(), "架国・０１２３");
    }
}

#[test]
fn bytes_of_another_character_set_are_refused() {
    let text = message("", &info("１"));
    for (name, bytes) in [
        ("UTF-8", SHIFT_JIS.encode(&text).0.into_owned()),
        ("EUC-JP", text.clone().into_bytes()),
        ("UTF-16", text.clone().into_bytes()),
    ] {
        let declaration = format!("<?xml version=\"1.0\" encoding=\"{name}\"?>");
        let bytes = [declaration.as_bytes(), &bytes].concat();
        let refused = read(RequestKind::Single, &bytes, &institution()).unwrap_err();
        assert_eq!(refused.fault, Fault::Encoding, "{name}");
    }
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(RequestKind::Single, &utf16, &institution()).is_err());
}

#[test]
fn a_bulk_holds_its_items_in_their_order() {
    let text = message("", &["A", "B", "C"].map(info).concat());
    let request = read(RequestKind::Bulk, text.as_bytes(), &institution()).unwrap();
    assert_eq!(numbers(&request), ["A", "B", "C"]);
    let broken = message("", &[info("A"), info("")].concat());
    let refused = read(RequestKind::Bulk, broken.as_bytes(), &institution()).unwrap_err();
    assert_eq!(refused.fault, Fault::Structure("ReferenceNumber"));
    let long = message("", &[info("A"), info(&"あ".repeat(51))].concat());
    let refused = read(RequestKind::Bulk, long.as_bytes(), &institution()).unwrap_err();
    assert!(refused.fault.message().starts_with("2件目: "), "{}", refused.fault.message());
}

#[test]
fn a_receipt_number_that_is_none_of_ours_is_no_bulk() {
    for (text, bulk) in [("7", Some(BulkId(7))), ("x", None), ("+7", None), ("99999999999999999999", None)] {
        let text = message("", &format!("<ReceptionNumber>{text}</ReceptionNumber>"));
        let request = read(RequestKind::BulkOutcome, text.as_bytes(), &institution()).unwrap();
        assert_eq!(request.asked, Asked::BulkOutcome(bulk));
    }
}

#[test]
fn a_request_of_another_institution_is_refused_with_its_own_codes() {
    let text = message("<ArbitraryFileIdentifier>A-1</ArbitraryFileIdentifier>", &info("1"));
    let refused = single(&text.replace(OURS, "1399999999")).unwrap_err();
    assert_eq!(refused.fault, Fault::Institution);
    assert_eq!(refused.institution.unwrap().as_str(), "1399999999");
    assert_eq!(refused.identifier.as_deref(), Some("A-1"));
    assert_eq!(fault(&text.replace(OURS, "x")), Fault::Institution);
}

#[test]
fn what_stands_twice_or_is_cut_by_markup_is_refused() {
    let good = message("<ArbitraryFileIdentifier>A</ArbitraryFileIdentifier>", &info("1"));
    assert!(single(&good).is_ok());
    for (from, to, tag) in [
        (
            "</MessageHeader>",
            "<MedicalInstitutionCode>1</MedicalInstitutionCode></MessageHeader>",
            "MedicalInstitutionCode",
        ),
        (
            "</MessageHeader>",
            "<ArbitraryFileIdentifier>B</ArbitraryFileIdentifier></MessageHeader>",
            "ArbitraryFileIdentifier",
        ),
        ("<ReferenceNumber>1<", "<ReferenceNumber>1<!-- -->2<", "ReferenceNumber"),
        ("<ReferenceNumber>1<", "<ReferenceNumber><b>1</b><", "ReferenceNumber"),
        ("<ReferenceNumber>1</ReferenceNumber>", "", "ReferenceNumber"),
        ("<InsurerNumber>  138990</InsurerNumber>", "<InsurerNumber/>", "InsurerNumber"),
        ("MessageBody>", "Body>", "MessageBody"),
        ("XmlMsg>", "Xml>", "XmlMsg"),
        (
            "</ReferenceNumberRegistrationInfo>",
            "</ReferenceNumberRegistrationInfo><ReferenceNumberRegistrationInfo/>",
            "ReferenceNumberRegistrationInfo",
        ),
    ] {
        assert_eq!(fault(&good.replace(from, to)), Fault::Structure(tag), "{from} -> {to}");
    }
}

#[test]
fn document_types_and_entities_are_refused_before_anything_is_expanded() {
    let good = message("", &info("&x;"));
    let bomb = "<!DOCTYPE XmlMsg [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY x \"&a;&a;&a;&a;\">]>";
    assert_eq!(fault(&format!("{bomb}{good}")), Fault::DocumentType);
    let outside = "<!DOCTYPE XmlMsg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    assert_eq!(fault(&format!("{outside}{good}")), Fault::DocumentType);
    assert_eq!(fault(&good), Fault::Markup, "an entity that nobody declared");
    assert_eq!(numbers(&single(&message("", &info("&#65;&amp;B"))).unwrap()), ["A&B"]);
}

#[test]
fn nesting_and_long_tags_are_refused_in_linear_time() {
    let nested = "<a>".repeat(400_000);
    assert_eq!(fault(&message("", &nested)), Fault::Markup);
    let attributes = " a=\"\"".repeat(200_000);
    assert_eq!(fault(&message("", &format!("<a{attributes}/>"))), Fault::Markup);
    let many = "<a/>".repeat(500_000);
    assert_eq!(fault(&message("", &many)), Fault::Markup);
    let too_long = vec![b' '; LONGEST + 1];
    assert_eq!(read(RequestKind::Single, &too_long, &institution()).unwrap_err().fault, Fault::TooLarge);
}

#[test]
fn every_part_of_a_file_that_is_still_being_written_looks_unfinished() {
    let whole = message("<ArbitraryFileIdentifier>A</ArbitraryFileIdentifier>", &info("カ"));
    let (bytes, _, _) = SHIFT_JIS.encode(&whole);
    for end in 0..bytes.len() {
        let refused = read(RequestKind::Single, &bytes[..end], &institution()).unwrap_err();
        assert!(refused.fault.may_be_unfinished(), "{end}: {:?}", refused.fault);
    }
    assert!(read(RequestKind::Single, &bytes, &institution()).is_ok());
}

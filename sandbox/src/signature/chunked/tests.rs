use jiff::Timestamp;

use super::*;
use crate::signature::{
    authorization::{CredentialScope, RequestSignature, SignaturePlacement},
    key::CallerKey,
    sigv4,
};

const TRAILER: &str = "x-amz-checksum-crc32";

/// AWS's example of a chunked body: Amazon S3's API reference, "Signature calculations for
/// the Authorization header: transferring payload in multiple chunks".
fn example() -> (CallerKey, RequestSignature) {
    let key = CallerKey {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
        expiration: None,
        arn: String::new(),
    };
    let signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let signed = RequestSignature {
        scope: CredentialScope {
            key_id: key.id.clone(),
            date: "20130524".to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        },
        headers: Vec::new(),
        signature: signature.to_owned(),
        at: "2013-05-24T00:00:00Z".parse::<Timestamp>().unwrap(),
        session_token: None,
        place: SignaturePlacement::Headers,
    };
    (key, signed)
}

fn with_chain<T>(task: impl FnOnce(SignatureChain<'_>) -> T) -> T {
    let (key, signed) = example();
    let identity = sigv4::identity(&key);
    task(SignatureChain::new(&signed, &identity).unwrap())
}

fn chunk(data: &[u8], signature: &str) -> Vec<u8> {
    let head = format!("{:x};chunk-signature={signature}\r\n", data.len());
    [head.as_bytes(), data, b"\r\n"].concat()
}

fn read(body: &[u8], trailer: bool, length: u64) -> Result<Decoded, ChunkError> {
    let declared = Declared { length: Some(length), trailers: Some(TRAILER) };
    let payload = Payload::Chunked { signed: true, trailer };
    with_chain(|chain| decode(&body.to_vec().into(), &payload, &declared, Some(chain)))
}

fn read_unsigned(body: &[u8]) -> Result<Decoded, ChunkError> {
    let declared = Declared { length: Some(5), trailers: Some(TRAILER) };
    let payload = Payload::Chunked { signed: false, trailer: true };
    decode(&body.to_vec().into(), &payload, &declared, None)
}

const FIRST: &str = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
const SECOND: &str = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
const LAST: &str = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";

#[test]
fn awss_example_is_verified() {
    let (one, two) = (vec![b'a'; 65_536], vec![b'a'; 1024]);
    let pieces = [chunk(&one, FIRST), chunk(&two, SECOND), chunk(b"", LAST)];
    let decoded = read(&pieces.concat(), false, 66_560).unwrap();
    assert_eq!(decoded.data.len(), 66_560);
    let swapped = [chunk(&two, SECOND), chunk(&one, FIRST), chunk(b"", LAST)];
    let less = [chunk(&one, FIRST), chunk(b"", LAST)];
    let cut = [chunk(&one, FIRST), chunk(&two, SECOND)];
    let more = [pieces.concat(), b"x".to_vec()];
    for (name, body, length, error) in [
        ("in another order", swapped.concat(), 66_560, ChunkError::Signature),
        ("one left out", less.concat(), 65_536, ChunkError::Signature),
        ("cut", cut.concat(), 66_560, ChunkError::Incomplete),
        ("another length than declared", pieces.concat(), 66_561, ChunkError::Incomplete),
        (
            "more at the end",
            more.concat(),
            66_560,
            ChunkError::Malformed("there is data after the last chunk"),
        ),
    ] {
        assert_eq!(read(&body, false, length), Err(error), "{name}");
    }
}

/// A body with one chunk and trailers, signed as a client does.
fn with_trailer(trailers: &[(String, String)]) -> (Vec<u8>, String) {
    with_chain(|mut chain| {
        let mut body = Vec::new();
        for data in [b"hello".as_slice(), b""] {
            let signature = chain.sign(&data.to_vec().into()).unwrap();
            body.extend(chunk(data, &signature));
            chain.link(&signature);
        }
        body.truncate(body.len() - 2);
        (body, chain.end(trailers).unwrap())
    })
}

#[test]
fn signed_trailers_are_verified() {
    let trailers = [(TRAILER.to_owned(), "NhCmhg==".to_owned())];
    let (body, signature) = with_trailer(&trailers);
    let end = |name: &str, value: &str, signature: &str| {
        let end = format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n");
        read(&[body.as_slice(), end.as_bytes()].concat(), true, 5)
    };
    assert_eq!(end(TRAILER, "NhCmhg==", &signature).unwrap().trailers, trailers);
    assert_eq!(end(TRAILER, "AAAAAA==", &signature), Err(ChunkError::Signature));
    assert_eq!(end("x-amz-acl", "public-read", &signature), Err(ChunkError::Signature));
    let unsigned = format!("{TRAILER}:NhCmhg==\r\n\r\n");
    let unsigned = read(&[body.as_slice(), unsigned.as_bytes()].concat(), true, 5);
    assert_eq!(unsigned, Err(ChunkError::Malformed("the trailers have no signature")));
}

#[test]
fn a_malformed_chunk_is_rejected() {
    let good = read_unsigned(b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32: NhCmhg==\r\n\r\n").unwrap();
    assert_eq!((&good.data[..], good.trailers.len()), (b"hello".as_slice(), 1));
    let long = [b"5".repeat(MAX_LINE).as_slice(), b"\r\n"].concat();
    for (body, error) in [
        (&b""[..], ChunkError::Incomplete),
        (b"5\r\nhel", ChunkError::Incomplete),
        (b"5\r\nhello\r\n0\r\n", ChunkError::Incomplete),
        (b"5\r\nhello\r\n0\r\nx-amz-acl:public-read\r\n\r\n", ChunkError::Trailer),
        (b"5\r\nhello, you\r\n0\r\n\r\n", ChunkError::Malformed("a chunk is longer than it says")),
        (b"\r\n", ChunkError::Malformed("a chunk has no length")),
        (b"+5\r\nhello\r\n0\r\n\r\n", ChunkError::Malformed("a chunk has no length")),
        (b"ffffffffffffffffff\r\n", ChunkError::Malformed("a chunk has no length")),
        (b"ffffffffffffffff\r\n", ChunkError::Incomplete),
        (&long, ChunkError::Malformed("a line is too long")),
        (b"\xff\r\n", ChunkError::Malformed("a line is not UTF-8")),
        (b"0\r\nx\r\n\r\n", ChunkError::Malformed("a trailer has no value")),
    ] {
        assert_eq!(read_unsigned(body), Err(error), "{}", String::from_utf8_lossy(body));
    }
    let unsigned = read(b"5\r\nhello\r\n0\r\n\r\n", false, 5);
    assert_eq!(unsigned, Err(ChunkError::Malformed("a chunk has no signature")));
}

proptest::proptest! {
    #[test]
    fn any_body_is_decoded_or_rejected(body: Vec<u8>, head in "[0-9a-f;=\\r\\n:x-]{0,40}") {
        let _ = read_unsigned(&[head.as_bytes(), &body].concat());
        let _ = read(&[head.as_bytes(), &body].concat(), true, 5);
    }

    #[test]
    fn chunks_are_joined(pieces: Vec<Vec<u8>>) {
        let full = pieces.iter().filter(|piece| !piece.is_empty());
        let mut body = Vec::new();
        for piece in full {
            body.extend(format!("{:X}\r\n", piece.len()).into_bytes());
            body.extend(piece);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        let length = u64::try_from(pieces.concat().len()).ok();
        let declared = Declared { length, trailers: None };
        let payload = Payload::Chunked { signed: false, trailer: true };
        let decoded = decode(&body.into(), &payload, &declared, None).unwrap();
        proptest::prop_assert_eq!(&decoded.data[..], pieces.concat());
    }
}

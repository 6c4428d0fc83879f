use super::*;

#[test]
fn only_issued_credentials_are_shortened() {
    let now = Timestamp::new(1_000_000, 500_000_000).unwrap();
    let end = |asked, life: Option<u64>| {
        let end = expiration(asked, life.map(Duration::from_secs), now);
        end.as_second() - 1_000_000
    };
    assert_eq!(end(900, None), 900);
    assert_eq!(end(900, Some(30)), 30);
    assert_eq!(end(900, Some(100_000)), 900);
}

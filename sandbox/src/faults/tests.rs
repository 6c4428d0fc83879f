use jiff::SignedDuration;

use super::*;

fn rule(text: &str) -> Rule {
    text.parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_rule_is_parsed_from_json_and_from_one_line() {
    let line = rule("operation=GetCallerIdentity, code=Throttling,status=400,first=2,delay=500ms");
    let json = rule(
        r#"{"operation": "GetCallerIdentity", "code": "Throttling", "status": 400, "first": 2,
            "delay": "500ms"}"#,
    );
    assert_eq!(line, json);
    assert_eq!(line.delay.unwrap().0, SignedDuration::from_millis(500));
    // A printed rule can be parsed again.
    let shown = serde_json::to_string(&line).unwrap();
    assert_eq!(rule(&shown), line);
    assert_eq!(rule("hang").operation, "*");
    assert!(rule("garbage,status=200").garbage);
    assert_eq!(rule("clockSkew=-20m").clock_skew.unwrap().0, SignedDuration::from_mins(-20));
}

#[test]
fn an_invalid_rule_is_rejected_with_the_reason() {
    for (text, why) in [
        ("", "has no effect"),
        ("{}", "has no effect"),
        ("operation=GetCallerIdentity,first=1", "has no effect"),
        ("[]", "not a fault"),
        ("hang,reset", "a call has one response"),
        ("code=Throttling,truncated", "a call has one response"),
        ("status=400,hang", "a call has one response"),
        ("status=99", "99"),
        ("status=600", "600"),
        ("status=many", "not a fault"),
        ("stat=400", "stat"),
        ("hang,hang", "twice"),
        ("code=<b>", "letters"),
        ("delay=11m", "10m"),
        ("delay=-1s", "10m"),
        ("delay=soon", "not a duration"),
        ("hang,for=0s", "greater than 0"),
        ("hang,first=0", "not a fault"),
        ("hang,every=0", "not a fault"),
    ] {
        let fault = text.parse::<Rule>().unwrap_err().to_string();
        assert!(fault.contains(why), "{text}: {fault}");
    }
}

#[test]
fn every_nth_the_first_n_and_for_a_time() {
    for (text, fired) in [
        ("hang", &[1, 2, 3, 4, 5, 6, 7][..]),
        ("hang,first=2", &[1, 2]),
        ("hang,every=3", &[3, 6]),
        ("hang,every=3,first=5", &[3]),
        ("hang,for=4s", &[1, 2, 3]),
        ("hang,operation=other", &[]),
        ("hang,operation=getcalleridentity,first=1", &[1]),
    ] {
        let faults = Faults::default();
        faults.add(rule(text), at(0)).unwrap();
        let due = |call: &i64| faults.next("GetCallerIdentity", at(*call)).is_some();
        let spoiled: Vec<i64> = (1..=7).filter(due).collect();
        assert_eq!(spoiled, fired, "{text}");
        assert_eq!(faults.list()[0].fired, fired.len() as u64, "{text}");
    }
}

#[test]
fn the_first_due_rule_applies_and_all_rules_count_the_call() {
    let faults = Faults::default();
    faults.add(rule("hang,every=2"), at(0)).unwrap();
    faults.add(rule("reset"), at(0)).unwrap();
    let spoiled: Vec<bool> = (0..3).map(|_| faults.next("a", at(1)).unwrap().hang).collect();
    assert_eq!(spoiled, [false, true, false]);
    let list = faults.list();
    assert_eq!((list[0].matched, list[0].fired), (3, 1));
    assert_eq!((list[1].matched, list[1].fired), (3, 2));
    faults.clear();
    assert!(faults.is_empty());
    for _ in 0..MAX_RULES {
        faults.add(rule("hang"), at(0)).unwrap();
    }
    assert!(faults.add(rule("hang"), at(0)).is_err());
}

#[tokio::test]
async fn half_of_a_response_is_streamed() {
    use axum::body::{Body, Bytes};
    use futures::{StreamExt as _, stream};
    let pieces =
        || stream::iter(["0123", "4567"].map(|it| Ok::<_, std::io::Error>(Bytes::from(it))));
    for (body, length, wanted) in [
        (Body::from("0123456789"), Some("10"), "01234"),
        // Without a known length, half of the first chunk.
        (Body::from_stream(pieces()), None, "01"),
    ] {
        let answer = response::halved(axum::response::Response::new(body));
        let said = answer.headers().get("content-length").map(|length| length.to_str().unwrap());
        assert_eq!(said, length);
        let mut stream = answer.into_body().into_data_stream();
        assert_eq!(stream.next().await.unwrap().unwrap(), wanted);
        assert!(stream.next().await.unwrap().is_err());
    }
}

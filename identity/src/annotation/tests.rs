//! Values that are read, and values that are reported.

use super::*;

fn read(pairs: &[(&str, &str)]) -> ServiceAccountAnnotations {
    let annotations = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default())
}

#[test]
fn every_annotation_of_a_service_account_is_read() {
    let read = read(&[
        ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app"),
        ("eks.amazonaws.com/audience", "my.audience"),
        ("eks.amazonaws.com/sts-regional-endpoints", "False"),
        ("eks.amazonaws.com/token-expiration", "3600"),
        ("eks.amazonaws.com/skip-containers", "istio-proxy, logs"),
        ("podrole.io/credentials", "container"),
        ("podrole.io/session-duration", "6h"),
        ("podrole.io/include-containers", "app"),
    ]);
    assert_eq!(read.role.unwrap().name(), "app");
    assert_eq!(read.audience.unwrap().as_str(), "my.audience");
    assert_eq!(read.sts_regional_endpoints, Some(false));
    assert_eq!(read.token_expiration.unwrap().seconds(), 3600);
    assert_eq!(read.credentials, Some(CredentialProvider::Container));
    assert_eq!(read.session_duration.unwrap().seconds(), 21_600);
    assert!(read.skip_containers.names("logs"));
    assert!(read.include_containers.names("app"));
    assert!(read.problems.is_empty() && read.bad_role.is_none());
}

#[test]
fn a_value_that_is_not_a_role_is_reported_and_not_used() {
    let read = read(&[("eks.amazonaws.com/role-arn", "my-role")]);
    assert_eq!(read.role, None);
    let problem = read.bad_role.unwrap().to_string();
    assert!(problem.starts_with("eks.amazonaws.com/role-arn \"my-role\": "), "{problem}");
}

#[test]
fn blanks_around_a_role_are_ignored_and_reported() {
    for (value, blank) in [
        ("arn:aws:iam::111122223333:role/app\n", "a line break"),
        (" arn:aws:iam::111122223333:role/app", "a space"),
        ("arn:aws:iam::111122223333:role/app\u{a0}", "the invisible character U+00A0"),
    ] {
        let read = read(&[("eks.amazonaws.com/role-arn", value)]);
        assert_eq!(read.role.unwrap().as_str(), "arn:aws:iam::111122223333:role/app", "{value:?}");
        let problem = read.problems[0].to_string();
        assert!(
            problem.ends_with(&format!("{blank} around it is ignored; remove it")),
            "{problem}"
        );
        assert_eq!((read.problems.len(), read.bad_role), (1, None));
    }
    for value in ["arn:aws:iam::111122223333:role/a b", " ", "arn:aws:iam:: 111122223333:role/app"]
    {
        let read = read(&[("eks.amazonaws.com/role-arn", value)]);
        assert!(read.role.is_none() && read.bad_role.is_some(), "{value:?}");
    }
}

#[test]
fn a_misspelled_role_annotation_is_a_problem_unless_the_right_one_is_there() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/app";
    let misspelled = ("eks.amazonaws.com/role_arn", ROLE);
    let problem = read(&[misspelled]).problems[0].to_string();
    assert!(problem.starts_with("eks.amazonaws.com/role_arn \"arn"), "{problem}");
    assert!(problem.ends_with("it has no effect; use eks.amazonaws.com/role-arn"), "{problem}");
    assert!(read(&[misspelled, ("eks.amazonaws.com/role-arn", ROLE)]).problems.is_empty());
}

#[test]
fn an_empty_role_counts_as_absent() {
    let read = read(&[("eks.amazonaws.com/role-arn", "")]);
    assert_eq!(read, ServiceAccountAnnotations::default());
}

#[test]
fn bad_values_are_reported_and_count_as_absent() {
    let read = read(&[
        ("eks.amazonaws.com/audience", ""),
        ("eks.amazonaws.com/sts-regional-endpoints", "yes"),
        ("eks.amazonaws.com/token-expiration", "soon"),
        ("podrole.io/credentials", "irsa"),
    ]);
    assert_eq!(read.audience, None);
    assert_eq!(read.sts_regional_endpoints, None);
    assert_eq!(read.token_expiration, None);
    assert_eq!(read.credentials, None);
    assert_eq!(read.problems.len(), 4);
}

#[test]
fn an_expiration_out_of_bounds_is_clamped_and_reported() {
    let read = read(&[("eks.amazonaws.com/token-expiration", "60")]);
    assert_eq!(read.token_expiration.unwrap().seconds(), 600);
    assert_eq!(read.problems.len(), 1);
}

#[test]
fn an_expiration_that_cannot_be_read_names_what_is_used() {
    let prefix = AnnotationPrefix::default();
    let used = TokenExpiration::clamped(3600);
    let shown = |value| {
        let problem = read(&[("eks.amazonaws.com/token-expiration", value)]).problems.remove(0);
        problem.with_used_expiration(&prefix, used).error
    };
    assert_eq!(shown("5m"), "it is not a whole number of seconds; 3600 is used");
    assert_eq!(shown("60"), "600 is used instead; set a number from 600 to 86400");
    let other = read(&[("eks.amazonaws.com/sts-regional-endpoints", "yes")]).problems.remove(0);
    assert_eq!(other.clone().with_used_expiration(&prefix, used), other);
}

#[test]
fn annotations_are_read_with_the_given_prefix_only() {
    let prefix: AnnotationPrefix = "example.org".parse().unwrap();
    let annotations =
        [("example.org/token-expiration".to_owned(), "700".to_owned())].into_iter().collect();
    let read = PodAnnotations::read(&annotations, &prefix);
    assert_eq!(read.token_expiration.unwrap().seconds(), 700);
    let other = PodAnnotations::read(&annotations, &AnnotationPrefix::default());
    assert_eq!(other, PodAnnotations::default());
    assert!("a/b".parse::<AnnotationPrefix>().is_err());
}

#[test]
fn a_problem_fits_a_line_and_has_no_control_characters() {
    let value = format!("\u{1b}[31m{}\n", "x".repeat(300));
    let problem = Problem::new("k", &value, "bad").to_string();
    assert!(problem.len() < 120 && !problem.chars().any(char::is_control), "{problem}");
}

#[test]
fn the_warnings_about_long_values_fit_the_api_server() {
    let long = "arn:aws:iam::111122223333:role/team/a-role-with-a-long-name\n";
    let (digits, used) = ("9".repeat(60), TokenExpiration::default());
    let cases = [
        ("eks.amazonaws.com/role-arn", long),
        ("eks.amazonaws.com/token-expiration", &digits),
        ("eks.amazonaws.com/role_arn", long),
    ];
    for (key, value) in cases {
        let mut problems = read(&[(key, value)]).problems;
        assert_eq!(problems.len(), 1, "{key}");
        let problem = problems.remove(0).with_used_expiration(&AnnotationPrefix::default(), used);
        let text = problem.to_string();
        assert!(text.len() + "podrole: ".len() <= 120, "{} {text}", text.len());
    }
}

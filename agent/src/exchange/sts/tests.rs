use super::*;

#[test]
fn a_step_signed_with_a_roles_credentials_lasts_an_hour_at_most() {
    for (wanted, temporary, asked) in [
        (None, true, None),
        (Some(900), true, Some(900)),
        (Some(43_200), true, Some(3600)),
        (Some(43_200), false, Some(43_200)),
    ] {
        assert_eq!(allowed(wanted, temporary), asked);
    }
}

#[test]
fn a_response_about_another_role_is_rejected() {
    let step = RoleStep {
        role: "arn:aws:iam::111122223333:role/team/app".parse().unwrap(),
        external_id: None,
        policy: None,
        duration_seconds: None,
    };
    let user =
        |arn: &str| AssumedRoleUser::builder().assumed_role_id("AROA:me").arn(arn).build().unwrap();
    assert!(is_of(None, &step));
    assert!(is_of(Some(&user("arn:aws:sts::111122223333:assumed-role/app/me")), &step));
    for arn in [
        "arn:aws:sts::111122223333:assumed-role/other/me",
        "arn:aws:sts::444455556666:assumed-role/app/me",
        "arn:aws-cn:sts::111122223333:assumed-role/app/me",
        "junk",
    ] {
        assert!(!is_of(Some(&user(arn)), &step), "{arn}");
    }
}

//! Responses of any form: they never cause a panic, and never give another caller's credentials.

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{exchange::ErrorKind, fuzz::any_json, fuzzing::eks_auth_answer as ask};

fn good() -> Value {
    json!({
        "subject": {"namespace": "shop", "serviceAccount": "app"},
        "audience": "sts.amazonaws.com",
        "podIdentityAssociation": {"associationArn": "a", "associationId": "b"},
        "assumedRoleUser": {
            "arn": "arn:aws:sts::111122223333:assumed-role/app/eks-shop-1", "assumeRoleId": "AROA:x",
        },
        "credentials": {
            "accessKeyId": "ASIAEKS", "secretAccessKey": "secret", "sessionToken": "session",
            "expiration": 1_800_003_600.5,
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_member_gives_the_callers_credentials_or_an_error(
        place in select(vec![
            "/subject", "/subject/namespace", "/subject/serviceAccount", "/audience",
            "/assumedRoleUser", "/assumedRoleUser/arn", "/credentials", "/credentials/accessKeyId",
            "/credentials/secretAccessKey", "/credentials/sessionToken", "/credentials/expiration",
            "/podIdentityAssociation",
        ]),
        value in any_json(),
    ) {
        let mut answer = good();
        *answer.pointer_mut(place).unwrap() = value;
        match ask(200, answer.to_string().into_bytes()) {
            Ok(given) => {
                prop_assert_eq!(&answer["subject"]["namespace"], &json!("shop"));
                prop_assert_eq!(&answer["subject"]["serviceAccount"], &json!("app"));
                prop_assert_eq!(&answer["audience"], &json!("sts.amazonaws.com"));
                prop_assert!(!given.secret_access_key.expose().is_empty());
            }
            Err(error) => prop_assert_eq!(error.kind, ErrorKind::Transient),
        }
    }

    #[test]
    fn a_truncated_response_is_an_error(at in any::<prop::sample::Index>()) {
        let whole = good().to_string().into_bytes();
        let part = whole[..at.index(whole.len())].to_vec();
        prop_assert_eq!(ask(200, part).unwrap_err().kind, ErrorKind::Transient);
        prop_assert!(ask(200, whole).is_ok());
    }

    #[test]
    fn no_error_contains_the_token(status in 201_u16..600, body in any_json(), word in "\\PC{0,20}") {
        let body = json!({"__type": word, "message": format!("{word} the-pods-token"), "x": body});
        let error = ask(status, body.to_string().into_bytes()).unwrap_err();
        prop_assert!(!error.to_string().contains("the-pods-token"));
    }
}

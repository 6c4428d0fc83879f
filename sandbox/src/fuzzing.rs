//! What `fuzz/` runs on any bytes: signed requests and policies. A broken rule is a panic.
#![allow(clippy::unwrap_used, reason = "a broken rule is a panic")]

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use podrole_runtime::clock;

use crate::{
    call::Call,
    policy::{
        Context, Effect, IdentityPolicy, Policy, Principal, Request, Verdict, evaluate,
        evaluate_identity,
    },
    signature::{
        authorization::RequestSignature, chain::SignatureChain, chunked, key::CallerKey,
        payload::Payload, sigv4,
    },
};

/// A request: its method and URL, its headers, an empty line, its body. Without the key, no signature is right.
pub fn signature(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let Ok(head) = str::from_utf8(&data[..end]) else {
        return;
    };
    let body = data.get(end + 2..).unwrap_or_default();
    let mut lines = head.lines();
    let Some((method, url)) = lines.next().and_then(|line| line.split_once(' ')) else {
        return;
    };
    let Ok(uri) = url.parse::<Uri>() else {
        return;
    };
    let headers: HeaderMap = lines.filter_map(header).collect();
    unsigned(&Call { method, uri: &uri, headers: &headers, body });
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, value.trim().parse().ok()?))
}

fn unsigned(call: &Call<'_>) {
    let Ok(signed) = RequestSignature::read(call) else {
        return;
    };
    let key = CallerKey {
        id: signed.scope.key_id.clone(),
        secret: "a secret that the fuzzer does not have".to_owned(),
        token: signed.session_token.clone(),
        expiration: None,
        arn: "arn:aws:iam::111122223333:user/fuzz".to_owned(),
    };
    let _ = (signed.check_day(), signed.check_time(clock::now()), signed.check_body(call));
    let _ = (signed.check_headers(call), signed.check_service("sts"), key.check_token(&signed));
    assert!(sigv4::check_signature(call, &signed, key.clone()).is_err(), "a forged signature");
    let Ok(payload) = Payload::read(call, &signed) else {
        return;
    };
    if let Some(text) = payload.text() {
        assert!(sigv4::check_head(call, &signed, &key, text).is_err(), "a forged signature");
    }
    let identity = sigv4::identity(&key);
    let chain = SignatureChain::new(&signed, &identity);
    let is_chained = chain.is_some();
    let declared = chunked::Declared {
        length: call.header("x-amz-decoded-content-length").and_then(|text| text.parse().ok()),
        trailers: call.header("x-amz-trailer"),
    };
    let decoded = chunked::decode(&Bytes::copy_from_slice(call.body), &payload, &declared, chain);
    assert!(!(is_chained && decoded.is_ok()), "forged chunks");
}

/// A policy. Without an Allow it allows nothing, and what it allows it allows again when its text is read again.
pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let context = Context::default()
        .with("oidc.example/id/A:sub", ["system:serviceaccount:shop:app"])
        .with("oidc.example/id/A:aud", ["sts.amazonaws.com"])
        .with("two", ["a", "b"])
        .with("empty", [""; 0]);
    let request = Request {
        principal: Principal::Federated(
            "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A",
        ),
        action: "sts:AssumeRoleWithWebIdentity",
        resource: "arn:aws:iam::111122223333:role/app",
        context: &context,
    };
    if let Ok(policy) = Policy::read(text) {
        let verdict = evaluate(&policy, &request);
        fits(text, &verdict);
        assert_eq!(evaluate(&Policy::read(policy.text()).unwrap(), &request), verdict);
    }
    if let Ok(policy) = IdentityPolicy::read(text) {
        fits(text, &evaluate_identity([("own", &policy)], &request));
    }
}

fn fits(text: &str, verdict: &Verdict) {
    let written = |effect: Effect| text.contains(&format!("{effect:?}")) || text.contains('\\');
    match verdict {
        Verdict::Allowed { .. } => assert!(written(Effect::Allow), "allowed without an Allow"),
        Verdict::Denied(denial) => {
            assert!(!denial.is_explicit() || written(Effect::Deny));
        }
    }
}

#[cfg(test)]
mod tests {
    type Target = fn(&[u8]);

    /// The seeds of `fuzz/`, so that they stay what they are for.
    #[test]
    fn every_seed_keeps_the_rules() {
        let targets: [(&str, Target); 2] =
            [("signature", super::signature), ("policy", super::policy)];
        for (name, target) in targets {
            let seeds = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            for seed in std::fs::read_dir(seeds).unwrap() {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}

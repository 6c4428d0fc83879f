//! Processes that must not get the sockets.

use super::*;

/// What is wrong with a token's claims.
type Change = fn(&mut Value);

fn other_exchange() -> Agreement {
    Agreement { exchange: Exchange::EksAuth, ..agreement() }
}

#[tokio::test]
async fn a_token_that_is_not_the_agents_own_is_refused_with_a_sentence() {
    let node = Node::new();
    node.offer();
    let refusal = async |by: &Signer, change: Change| {
        node.refusal(node.changed_token("second", by, change), agreement()).await
    };
    let cases: [(Change, &str); 7] = [
        // What every pod of the agent's ServiceAccount has, and what pods show to the agent.
        (|it| it["aud"] = json!(["https://kubernetes.default.svc"]), "for another audience"),
        (|it| it["aud"] = json!(["sts.amazonaws.com"]), "to podrole.io/agent"),
        (|it| it["iss"] = json!("https://other.example"), "issuer is not this cluster's"),
        (|it| it["exp"] = json!(now().as_second() - 120), "has expired"),
        (
            |it| {
                it["sub"] = "system:serviceaccount:podrole-agent:second-agent".into();
                it["kubernetes.io"]["serviceaccount"]["name"] = "second-agent".into();
            },
            "podrole already serves this node with an agent of the ServiceAccount \
             podrole-agent/podrole-agent, and this one is of podrole-agent/second-agent",
        ),
        (
            |it| it["kubernetes.io"]["serviceaccount"]["uid"] = "later".into(),
            "an earlier ServiceAccount podrole-agent/podrole-agent",
        ),
        (|it| it["kubernetes.io"]["pod"]["uid"] = "first".into(), "mount this pod's own"),
    ];
    for (change, sentence) in cases {
        let reason = refusal(&RSA, change).await;
        assert!(reason.contains(sentence), "{reason}\n{sentence}");
    }
    let forged = refusal(&STRANGER, |_| ()).await;
    assert!(forged.contains("signature is not valid"), "{forged}");
    // It was no matter of the node.
    assert_eq!(node.take("second").await.len(), 1);
}

#[tokio::test]
async fn a_token_of_a_pod_that_has_ended_or_is_elsewhere_is_refused() {
    let node = Node::new();
    node.offer();
    for (pod, sentence) in [
        (PodFacts { finished: true, ..pod("second") }, "pod has finished"),
        (PodFacts { node: Some("n2".to_owned()), ..pod("second") }, "runs on another node"),
    ] {
        node.add(pod);
        let reason = node.refusal(node.token("second"), agreement()).await;
        assert!(reason.contains(sentence), "{reason}");
    }
    node.pods.remove("second");
    let reason = node.refusal(node.token("second"), agreement()).await;
    assert!(reason.contains("no longer exists"), "{reason}");
}

#[tokio::test]
async fn another_exchange_or_release_needs_the_same_daemon_set() {
    let node = Node::new();
    node.offer();
    // The DaemonSet is being updated.
    for other in [other_exchange(), Agreement { release: "2.0.0".to_owned(), ..agreement() }] {
        let taken = node.ask(node.token("second"), other).await;
        assert!(matches!(taken, Inheritance::Sockets(_)), "{taken:?}");
    }
    for controller in [None, Some("another".to_owned())] {
        node.add(PodFacts { controller, ..pod("second") });
        let reason = node.refusal(node.token("second"), other_exchange()).await;
        assert!(reason.contains("exchange eks-auth instead of web-identity"), "{reason}");
        assert_eq!(node.take("second").await.len(), 1, "the same settings");
    }
    // Two pods that nothing manages have no DaemonSet in common.
    node.add(pod("first"));
    node.add(pod("second"));
    let reason = node.refusal(node.token("second"), other_exchange()).await;
    assert!(reason.contains("not of the same DaemonSet"), "{reason}");
}

#[tokio::test]
async fn a_process_that_says_nothing_delays_no_other_and_is_refused() {
    let node = Node::new();
    node.offer();
    let connect = || UnixStream::connect(node.socket()).unwrap();
    let mut silent: Vec<UnixStream> = (0..20).map(|_| connect()).collect();
    let begun = Instant::now();
    assert_eq!(node.take("second").await.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let mut first = silent.swap_remove(0);
    first.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    let answer = spawn_blocking(move || {
        let mut answer = String::new();
        first.read_to_string(&mut answer).map(|_| answer)
    });
    let answer = answer.await.unwrap().unwrap();
    assert!(answer.starts_with("0the process did not show who it is within 2 s"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_no_introduction_is_refused() {
    let node = Node::new();
    node.offer();
    for said in [b"{}".to_vec(), Vec::new(), vec![b' '; 100_000]] {
        let mut stream = UnixStream::connect(node.socket()).unwrap();
        let answered = spawn_blocking(move || {
            // The agent does not read all of what is too long.
            let _ = stream.write_all(&said);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            wire::receive(&stream).unwrap()
        });
        let wire::Answer::Refused(reason) = answered.await.unwrap() else { panic!("sockets") };
        assert!(reason.contains("did not show who it is"), "{reason}");
    }
}

#[tokio::test]
async fn a_missing_token_is_named_on_both_sides() {
    let node = Node::new();
    node.offer();
    let reason = node.refusal("/nonexistent/token".into(), agreement()).await;
    assert!(reason.starts_with("--handover-token /nonexistent/token: "), "{reason}");
    let holder = node.holder("/nonexistent/token".into());
    offer(&node.socket(), holder, vec![listening()]).unwrap();
    let reason = node.refusal(node.token("second"), agreement()).await;
    assert!(reason.contains("cannot use its own --handover-token"), "{reason}");
}

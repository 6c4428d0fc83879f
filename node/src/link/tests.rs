use super::*;

const ADDRESS: &str = "169.254.170.23";

fn seen(links: &[(&str, u32)], holder: Option<u32>) -> LinkState {
    let links = links.iter().map(|(name, index)| ((*name).to_owned(), *index)).collect();
    let holders = holder.map(|index| (ADDRESS.parse().unwrap(), index)).into_iter().collect();
    LinkState { links, holders }
}

#[test]
fn an_address_is_assigned_to_the_agents_link_or_lo() {
    let both = [("lo", 1), ("eth0", 2), ("podrole0", 7)];
    let bare = [("lo", 1), ("eth0", 2)];
    for (links, holder, wanted) in [
        (&both[..], None, LinkAction::Add(7)),
        (&bare[..], None, LinkAction::Add(1)),
        (&both[..], Some(7), LinkAction::Keep),
        (&both[..], Some(1), LinkAction::Keep),
        (&bare[..], Some(2), LinkAction::Taken("eth0".to_owned())),
        (&[("lo", 1), ("pod-id-link0", 3)], Some(3), LinkAction::Keep),
        (&[], None, LinkAction::NoLink),
    ] {
        assert_eq!(action(&seen(links, holder), ADDRESS.parse().unwrap()), wanted);
    }
}

/// Runs in a network namespace, which a process may create without being root.
#[tokio::test]
async fn addresses_are_assigned_and_put_back() {
    let test = "link::tests::in_the_child_addresses_are_assigned_and_put_back";
    let child = tokio::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("PODROLE_TEST_LINK", "1")
        .output();
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("put back"), "{text} {error}");
}

#[tokio::test]
async fn in_the_child_addresses_are_assigned_and_put_back() {
    if std::env::var_os("PODROLE_TEST_LINK").is_none() {
        return;
    }
    let addresses: [IpAddr; 2] = [ADDRESS.parse().unwrap(), "fd00:ec2::23".parse().unwrap()];
    let (connection, handle, _) = rtnetlink::new_connection().unwrap();
    tokio::spawn(connection);
    keep(&addresses, true, CancellationToken::new()).await.unwrap();
    let first = read_state(&handle).await.unwrap();
    assert!(addresses.iter().all(|address| first.holders.contains_key(address)), "{first:?}");
    // Nothing is done twice.
    keep(&addresses, true, CancellationToken::new()).await.unwrap();
    assert_eq!(read_state(&handle).await.unwrap(), first);

    let shutdown = CancellationToken::new();
    let kept = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { keep(&addresses, false, shutdown).await }
    });
    let messages: Vec<AddressMessage> =
        handle.address().get().execute().try_collect().await.unwrap();
    let v4 = messages
        .into_iter()
        .find(|message| message.attributes.contains(&AddressAttribute::Address(addresses[0])));
    handle.address().del(v4.unwrap()).execute().await.unwrap();
    assert!(!read_state(&handle).await.unwrap().holders.contains_key(&addresses[0]));
    sleep(Duration::from_secs(1)).await;
    let healed = read_state(&handle).await.unwrap();
    assert!(healed.holders.contains_key(&addresses[0]), "within 1 s: {healed:?}");
    shutdown.cancel();
    kept.await.unwrap().unwrap();
    assert_eq!(read_state(&handle).await.unwrap(), healed, "and they stay");
    println!("put back");
}

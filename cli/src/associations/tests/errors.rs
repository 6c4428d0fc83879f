//! What is wrong, where, and what to do.

use super::*;
use crate::associations::failure::Failure;

#[test]
fn a_list_of_associations_names_the_command() {
    let text = "{\"associations\": [{\"clusterName\": \"shop\", \"namespace\": \"shop\",\n\
                \"serviceAccount\": \"app\", \"associationId\": \"a-1\"}]}";
    assert_eq!(
        error(text),
        "in.yaml:1: a list of associations has no roles; run `podrole associations import \
         --from-eks shop`, or for each association `aws eks describe-pod-identity-association \
         --cluster-name shop --association-id a-1`"
    );
    let odd = "{\"associations\": [{\"clusterName\": \"$(reboot)\", \"associationId\": \"a;b\"}]}";
    let said = error(odd);
    assert!(said.contains("--from-eks CLUSTER`") && said.ends_with("ID`"), "{said}");
    for refused in ["-x", "", &"x".repeat(101)] {
        let text = format!("{{\"associations\": [{{\"clusterName\": \"{refused}\"}}]}}");
        assert!(error(&text).contains("--from-eks CLUSTER"), "--from-eks refuses {refused}");
    }
    assert!(error("{\"associations\": []}").contains("--from-eks CLUSTER"));
}

#[test]
fn a_reference_without_an_arn_has_its_own_line() {
    let ack = "apiVersion: eks.services.k8s.aws/v1alpha1\nkind: PodIdentityAssociation\nspec:\n  \
               namespace: shop\n  serviceAccount: app\n  roleRef:\n    from: {name: app}\n";
    assert_eq!(
        error(ack),
        "in.yaml:6: shop/app: roleRef names no ARN; put the role's ARN into roleARN"
    );
    let crossplane = "apiVersion: eks.aws.upbound.io/v1beta1\nkind: PodIdentityAssociation\nspec:\n  \
                      forProvider:\n    namespace: shop\n    serviceAccount: app\n    \
                      roleArn: arn:aws:iam::111122223333:role/app\n    \
                      targetRoleArnSelector: {matchLabels: {a: b}}\n";
    assert_eq!(
        error(crossplane),
        "in.yaml:8: shop/app: targetRoleArnSelector names no ARN; put the role's ARN into \
         targetRoleArn"
    );
}

#[test]
fn a_role_that_is_missing_is_an_error_of_each_form() {
    let eksctl = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\niam:\n  \
                  podIdentityAssociations:\n  - namespace: shop\n    serviceAccountName: app\n    \
                  permissionPolicyARNs: [arn:aws:iam::aws:policy/ReadOnlyAccess]\n";
    assert_eq!(
        error(eksctl),
        "in.yaml:5: shop/app: eksctl creates its role; put the ARN of the role into roleARN \
         (`eksctl get podidentityassociation` prints it)"
    );
    assert_eq!(
        error(&list("\"roleArn\": \"\"")),
        "in.yaml:2: shop/app: set roleArn; an entry without a role only selects the provider, and \
         has no object"
    );
    let ack = "apiVersion: eks.services.k8s.aws/v1alpha1\nkind: PodIdentityAssociation\nspec:\n  \
               namespace: shop\n  serviceAccount: app\n";
    assert_eq!(error(ack), "in.yaml:3: shop/app: it has no roleARN");
}

#[test]
fn a_field_with_a_wrong_value_has_its_line() {
    let role = format!("\"roleArn\": \"{ROLE}\"");
    for (fields, said) in [
        (
            "\"roleArn\":\n\"arn:aws:iam::111122223333:user/a\"",
            "in.yaml:3: shop/app: roleArn: it is not the ARN of a role (role/<name> is missing)",
        ),
        (
            "\"roleArn\": \"arn:aws:iam::111122223333:role/a\\n\"",
            "in.yaml:3: shop/app: roleArn: it contains a line break; remove it",
        ),
        ("\"roleArn\": 7", "in.yaml:3: roleArn: 7 is a number; put it in quotes"),
        (
            &format!("{role}, \"disableSessionTags\": \"yes\""),
            "in.yaml:3: disableSessionTags: write true or false, without quotes",
        ),
        (
            &format!("{role},\n\"durationSeconds\": 900.5"),
            "in.yaml:4: durationSeconds: write a whole number, without quotes",
        ),
        (
            &format!("{role}, \"durationSeconds\": 60"),
            "in.yaml:2: shop/app: durationSeconds: set a number from 900 to 43200",
        ),
        (
            &format!("{role}, \"sessionName\": \"{{pod.uid}}\""),
            "in.yaml:2: shop/app: sessionName: {pod.uid} is not a placeholder; use {pod.name}, \
             {pod.namespace} or {serviceaccount.name}",
        ),
        (
            &format!("{role}, \"policy\": \"{{}}\""),
            "in.yaml:2: shop/app: policy needs disableSessionTags: true",
        ),
        (
            &format!("{role}, \"policy\": \"\", \"disableSessionTags\": true"),
            "in.yaml:2: shop/app: policy: it is not a JSON object",
        ),
        (
            &format!("{role}, \"targetRoleArn\": \"arn:aws-cn:iam::444455556666:role/t\""),
            "in.yaml:2: shop/app: roleARN and targetRoleARN must be of one partition",
        ),
    ] {
        assert_eq!(error(&list(fields)), said);
    }
}

#[test]
fn a_name_that_kubernetes_refuses_is_an_error() {
    let entry = |namespace: &str, name: &str| {
        format!(
            "{{\"identities\": [{{\"namespace\": \"{namespace}\", \"serviceAccount\": \"{name}\", \
             \"roleArn\": \"{ROLE}\"}}]}}"
        )
    };
    assert_eq!(
        error(&entry("a.b", "app")),
        "in.yaml:1: a.b/app: a namespace is 1 to 63 of a-z 0-9 -"
    );
    let (namespace, name) = ("n".repeat(63), "a".repeat(190));
    assert!(error(&entry(&namespace, &name)).ends_with("use a PodIdentityPattern"));
    assert!(import(&entry(&namespace, &name[1..])).is_ok());
    let both = import("{\"identities\": [{}]}").unwrap_err();
    assert_eq!(both, ["in.yaml:1: it has no namespace"]);
}

#[test]
fn what_is_in_no_form_names_the_forms() {
    for text in ["a: 1\n", "just text\n", "[[]]", "{\"roleArn\": \"x\"}", "[1]"] {
        let said = error(text);
        assert!(said.starts_with("in.yaml:1: it is in none of the known forms; known"), "{said}");
        assert!(said.contains("`aws eks describe-pod-identity-association`"), "{said}");
    }
    let said = error("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n");
    assert!(said.starts_with("in.yaml:4: it has no association, only Secret; known"), "{said}");
    for text in ["", "\n# c\n---\n", "\u{feff}"] {
        assert!(error(text).starts_with("in.yaml:1: it is empty; known forms are"), "{text}");
    }
}

#[test]
fn an_own_object_is_read_strictly() {
    let own = |name: &str, more: &str| {
        format!(
            "apiVersion: podrole.io/v1alpha1\nkind: PodIdentityAssociation\nmetadata:\n  name: \
             {name}\nspec:\n  namespace: shop\n  serviceAccount: app\n  roleARN: {ROLE}\n  {more}\n"
        )
    };
    assert!(import(&own("shop.app", "podTags: false")).unwrap().contains("podTags: false"));
    assert_eq!(
        error(&own("shop.app", "onlyOn: Tue")),
        "in.yaml:5: PodIdentityAssociation shop.app: unknown field `onlyOn`"
    );
    let said = error(&own("app", ""));
    assert!(
        said.ends_with("metadata.name is not <namespace>.<serviceAccount> of its spec"),
        "{said}"
    );
    let said = error(&own("shop.app", "externalID: mine"));
    assert_eq!(said, "in.yaml:5: shop/app: externalID needs targetRoleARN");
}

#[test]
fn all_errors_are_listed_but_at_most_20() {
    let entries: Vec<_> = (0..30).map(|index| format!("{{\"namespace\": \"n{index}\"}}")).collect();
    let text = format!("{{\"identities\": [{}]}}", entries.join(",\n"));
    let mut merged = Merged::default();
    input::read_text("in.yaml", &text, true, &mut merged);
    let (lines, code) = Failure::Input(merged.finish().unwrap_err()).lines();
    assert_eq!((lines.len(), code), (22, 1));
    assert_eq!(lines[19], "in.yaml:20: it has no serviceAccount");
    assert_eq!(lines[20], "... and 10 more errors");
    assert_eq!(lines[21], "podrole: nothing is printed or applied");
}

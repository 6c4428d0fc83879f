//! What is printed is read again as it is, for all values that the schema accepts.

use proptest::prelude::*;

use super::*;
use crate::associations::{checked::Checked, place::Place, testing::associations};

proptest! {
    #[test]
    fn a_manifest_is_the_association(association in associations()) {
        let place = Place { source: "x".into(), line: None };
        let checked = Checked {
            place,
            association: association.clone(),
            annotations: [("podrole.io/eks-association-id", "a-1".to_owned())].into(),
            comments: vec![],
        };
        let text = manifest::yaml(&[checked.clone(), checked]);
        let mut merged = Merged::default();
        input::read_text("x", &text, true, &mut merged);
        let all = merged.finish().unwrap();
        prop_assert_eq!(&all[0].association, &association);
        prop_assert_eq!(all[0].annotations.len(), 1);
        // kubectl's library reads YAML 1.1, and this one 1.2.
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
        prop_assert_eq!(&documents[0]["spec"], &association.spec());
    }
}

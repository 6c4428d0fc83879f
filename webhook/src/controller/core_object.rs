//! Objects of Kubernetes's core of which only a few fields are read. Whole ones take more memory than the controller has, and the
//! code that reads them is a megabyte.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A condition of a pod's status.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// Whether the conditions of a pod say that it is ready.
pub(super) fn is_ready(conditions: Option<&[Condition]>) -> bool {
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// When an object was created, by the API server's clock.
pub(super) fn created(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Makes a type with the field `metadata` one that [`kube::Api`] reads.
macro_rules! core_object {
    ($object:ident, $kind:literal, $plural:literal, $scope:ident) => {
        impl ::kube::Resource for $object {
            type DynamicType = ();
            type Scope = ::k8s_openapi::$scope;

            fn kind((): &()) -> ::std::borrow::Cow<'_, str> {
                $kind.into()
            }

            fn group((): &()) -> ::std::borrow::Cow<'_, str> {
                "".into()
            }

            fn version((): &()) -> ::std::borrow::Cow<'_, str> {
                "v1".into()
            }

            fn plural((): &()) -> ::std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(
                &mut self,
            ) -> &mut ::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
pub(super) use core_object;

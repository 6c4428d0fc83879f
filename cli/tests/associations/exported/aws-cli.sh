# billing/export: externalID is lost: EKS sends an external ID of its own; the trust policy of the target must name it
# billing/export: durationSeconds is lost: EKS chooses how long a session is
aws eks create-pod-identity-association --cluster-name shop-1 --namespace billing --service-account export --role-arn arn:aws:iam::111122223333:role/billing-export --target-role-arn arn:aws:iam::444455556666:role/ledger --policy '{"Version":"2012-10-17","Statement":[]}
' --disable-session-tags
# shop/orders: durationSeconds is lost: EKS chooses how long a session is
# shop/orders: sessionName is lost: EKS names the sessions
aws eks create-pod-identity-association --cluster-name shop-1 --namespace shop --service-account orders --role-arn arn:aws:iam::111122223333:role/shop-orders

# billing/export: externalID is lost: EKS sends an external ID of its own; the trust policy of the target must name it
# billing/export: durationSeconds is lost: EKS chooses how long a session is
resource "aws_eks_pod_identity_association" "billing_export" {
  cluster_name         = "shop-1"
  namespace            = "billing"
  service_account      = "export"
  role_arn             = "arn:aws:iam::111122223333:role/billing-export"
  target_role_arn      = "arn:aws:iam::444455556666:role/ledger"
  disable_session_tags = true
  policy               = "{\"Version\":\"2012-10-17\",\"Statement\":[]}\n"
}

# shop/orders: durationSeconds is lost: EKS chooses how long a session is
# shop/orders: sessionName is lost: EKS names the sessions
resource "aws_eks_pod_identity_association" "shop_orders" {
  cluster_name    = "shop-1"
  namespace       = "shop"
  service_account = "orders"
  role_arn        = "arn:aws:iam::111122223333:role/shop-orders"
}

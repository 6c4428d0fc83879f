"""Calls of each protocol, with a pod's web identity."""

import json

import boto3

cases = {}
cases["sts"] = boto3.client("sts").get_caller_identity()["Arn"].rsplit("/", 1)[0] + "/pod"

secrets = boto3.client("secretsmanager")
secrets.create_secret(Name="colour", SecretString="blue")
cases["secretsmanager"] = secrets.get_secret_value(SecretId="colour")["SecretString"]

parameters = boto3.client("ssm")
parameters.put_parameter(Name="/shop/answer", Value="42", Type="SecureString")
cases["ssm"] = parameters.get_parameter(Name="/shop/answer", WithDecryption=True)["Parameter"]["Value"]

queues = boto3.client("sqs")
url = queues.create_queue(QueueName="orders")["QueueUrl"]
queues.send_message(QueueUrl=url, MessageBody="hello")
cases["sqs"] = queues.receive_message(QueueUrl=url)["Messages"][0]["Body"]

topics = boto3.client("sns")
topics.create_topic(Name="news")
cases["sns"] = [topic["TopicArn"] for topic in topics.list_topics()["Topics"]]

cases["lambda"] = boto3.client("lambda").list_functions()["Functions"]

print(json.dumps(cases))

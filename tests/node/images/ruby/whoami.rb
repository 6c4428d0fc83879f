# Who am I, by the AWS SDK for Ruby. usage: whoami.rb
#
# Prints one line of JSON, and one more, asked by the same client, for each line on standard input.

require "aws-sdk-core"
require "json"

$stdout.sync = true
STS = Aws::STS::Client.new

def described(error)
  answer = { class: error.class.name, message: error.message }
  if error.is_a?(Aws::Errors::ServiceError)
    answer[:code] = error.code
    answer[:status] = error.context.http_response.status_code
  end
  answer
end

def use
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  line = begin
    { arn: STS.get_caller_identity.arn }
  rescue StandardError => e # whatever an application would see
    { error: described(e) }
  end
  line[:ms] = ((Process.clock_gettime(Process::CLOCK_MONOTONIC) - started) * 1000).round
  puts JSON.generate(line)
end

use
$stdin.each_line { use }

<?php
// Who am I, by async-aws, which Debian packages for PHP.
require '/usr/share/php/AsyncAws/Core/autoload.php';

try {
    $sts = new AsyncAws\Core\Sts\StsClient(['region' => getenv('AWS_REGION')]);
    echo $sts->getCallerIdentity()->getArn(), "\n";
} catch (Throwable $error) {
    fwrite(STDERR, get_class($error) . ': ' . $error->getMessage() . "\n");
    exit(1);
}

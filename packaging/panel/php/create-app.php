#!/usr/bin/env php
<?php
// SPDX-License-Identifier: MIT
// Creates an app and waits until it runs: create-app.php NAME DIRECTORY COMMAND [ARG...]
declare(strict_types=1);

require __DIR__ . '/Pysbx.php';

if ($argc < 4) {
    fwrite(STDERR, "usage: create-app.php NAME DIRECTORY COMMAND [ARG...]\n");
    exit(2);
}
$app = [
    'name' => $argv[1],
    'directory' => $argv[2],
    'command' => array_slice($argv, 3),
    'limits' => ['memory' => '192M', 'cpu' => '100%', 'pids' => 64],
];
$pysbx = new Pysbx(getenv('PYSBX_SOCKET') ?: Pysbx::DEFAULT_PATH);
try {
    $applied = $pysbx->call('app.apply', ['app' => $app]);
    $waited = $pysbx->call('app.wait', ['name' => $app['name'], 'states' => ['running', 'failed'], 'timeout' => '30s']);
    if ($waited['state'] !== 'running') {
        $last = $pysbx->call('app.get', ['name' => $app['name']])['last'] ?? [];
        fwrite(STDERR, "{$app['name']}: {$waited['state']}: " . ($last['sentence'] ?? 'no reason known') . "\n");
        exit(1);
    }
} catch (PysbxError $error) {
    fwrite(STDERR, "{$error->reason}: {$error->getMessage()}\n");
    exit(1);
}
echo "{$app['name']}: ", $applied['created'] ? 'created' : 'changed', ", {$waited['state']}\n";

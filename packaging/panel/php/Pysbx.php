<?php
// SPDX-License-Identifier: MIT
declare(strict_types=1);

/**
 * The daemon refused, or can't be reached (reason "unreachable"). $reason is stable ("not-found",
 * "denied", "invalid" ...), the message is for people, $path names the JSON value that is wrong,
 * null if none is.
 */
final class PysbxError extends RuntimeException
{
    public function __construct(
        public readonly string $reason,
        string $message,
        public readonly ?string $path = null,
    ) {
        parent::__construct($message);
    }
}

/**
 * A client of pysbxd's control socket, for control panels. See pysbx-protocol(7). PHP 8.2 or later.
 *
 *     $pysbx = new Pysbx();
 *     $pysbx->call('app.apply', ['app' => ['name' => 'blog', 'command' => ['gunicorn', 'app:app']]]);
 *     foreach ($pysbx->events($lastSeen) as $event) { ... }
 *
 * An empty PHP array is a JSON list: write new stdClass() where an empty object is meant.
 */
final class Pysbx
{
    public const DEFAULT_PATH = '/run/pysbx/control.sock';
    private const LINE_MAX = 8 * 1024 * 1024; // bytes of one answer
    private const RECONNECT_SECONDS = 1;
    private const FOREVER = 10 * 365 * 86400;

    /** @var resource|null */
    private $stream = null;
    private int $lastId = 0;

    /** $timeout: seconds for one answer; null waits as long as it takes (a stop has its grace). */
    public function __construct(
        private readonly string $socket = self::DEFAULT_PATH,
        private readonly ?int $timeout = null,
    ) {
    }

    public function close(): void
    {
        if ($this->stream !== null) {
            fclose($this->stream);
        }
        $this->stream = null;
    }

    /**
     * One call: returns its result or throws PysbxError. After a lost connection the next call
     * connects anew; whether the lost one was carried out is not known.
     */
    public function call(string $method, array $params = []): mixed
    {
        $this->send($method, $params);
        do {
            $answer = $this->receive();
        } while (isset($answer['method']) || !in_array($answer['id'] ?? null, [$this->lastId, null], true));
        if (isset($answer['error'])) {
            $data = $answer['error']['data'] ?? [];
            throw new PysbxError($data['code'] ?? 'internal', $answer['error']['message'] ?? '', $data['path'] ?? null);
        }
        return $answer['result'];
    }

    /**
     * All events after $cursor (null: from now on), forever, over restarts of the daemon. Keep
     * $event['cursor']: given again, nothing is missed. If something is lost all the same, because
     * more happened than the daemon keeps, ['type' => 'missed', 'missed' => n] comes first: ask for
     * the state anew then.
     */
    public function events(?int $cursor = null, ?string $app = null): Generator
    {
        while (true) {
            $watcher = new self($this->socket);
            try {
                $params = array_filter(['cursor' => $cursor, 'app' => $app], fn ($value) => $value !== null);
                $begin = $watcher->call('events.subscribe', $params);
                $cursor = $begin['cursor'];
                if ($begin['missed'] > 0) {
                    yield ['type' => 'missed', 'missed' => $begin['missed'], 'cursor' => $cursor];
                }
                while (true) {
                    $message = $watcher->receive();
                    if (($message['method'] ?? '') === 'event') {
                        $cursor = $message['params']['cursor'];
                        yield $message['params'];
                    }
                }
            } catch (PysbxError $error) {
                if ($error->reason !== 'unreachable') {
                    throw $error;
                }
            } finally {
                $watcher->close();
            }
            sleep(self::RECONNECT_SECONDS);
        }
    }

    private function send(string $method, array $params): void
    {
        if ($this->stream === null) {
            $stream = @stream_socket_client('unix://' . $this->socket, $number, $text);
            if ($stream === false) {
                throw new PysbxError('unreachable', "{$this->socket}: $text");
            }
            stream_set_timeout($stream, $this->timeout ?? self::FOREVER);
            $this->stream = $stream;
        }
        $request = ['jsonrpc' => '2.0', 'id' => ++$this->lastId, 'method' => $method, 'params' => (object) $params];
        $line = json_encode($request, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES) . "\n";
        for ($sent = 0; $sent < strlen($line); $sent += $written) {
            $written = @fwrite($this->stream, substr($line, $sent));
            if ($written === false || $written === 0) {
                return; // whom the daemon refuses, it tells so before it hangs up: receive() reads it
            }
        }
    }

    private function receive(): array
    {
        $line = fgets($this->stream, self::LINE_MAX);
        $message = $line !== false && str_ends_with($line, "\n") ? json_decode($line, true) : null;
        return is_array($message) ? $message : $this->lost();
    }

    private function lost(): never
    {
        $this->close();
        throw new PysbxError('unreachable', "{$this->socket}: the daemon closed the connection or did not answer");
    }
}

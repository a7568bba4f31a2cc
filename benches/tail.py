#!/usr/bin/env python3
"""How fast `tail` is from an S3 server on loopback, against `backfill` of the same files from disk; and how
soon rows can be read.

usage: tail.py KEYTRAIL TRAIL [--rounds N] [--ministack PROGRAM] [--nginx PROGRAM] [--lag SECONDS]

KEYTRAIL is the binary, TRAIL a folder of gzipped logs (generate_trail.py writes one). It needs nginx, which
serves the files as S3 would, and ministack (PyPI) for the queue. All servers listen on 127.0.0.1 and end
with this program.
"""
import argparse, contextlib, glob, json, os, shutil, signal, socket, subprocess, sys, tempfile, time
import urllib.request

NGINX = """pid {folder}/pid; error_log {folder}/error; daemon off; master_process off;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""
BUCKET = "logs"


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def call(url, service, target, body, kind="application/x-amz-json-1.0"):
    """A call of a service whose requests are JSON; the server checks no signature."""
    auth = f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"X-Amz-Target": target, "Content-Type": kind, "Authorization": auth})
    return json.load(urllib.request.urlopen(request, timeout=10))


def announce(files, trail):
    """Bodies as S3 sends them, ten objects each."""
    def record(path):
        key = os.path.relpath(path, trail)
        return {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": os.path.getsize(path), "eTag": "x"}}}
    return [json.dumps({"Records": [record(p) for p in files[at:at + 10]]}) for at in range(0, len(files), 10)]


def last_batch(out):
    """When the last batch was committed: what comes after is the fold, and waiting for an empty queue."""
    entries = glob.glob(out + "/_ledger/0*.json")
    return max(os.path.getmtime(e) for e in entries if json.load(open(e))["kind"] == "batch")


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("keytrail")
    parse.add_argument("trail")
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--ministack", default="ministack")
    parse.add_argument("--nginx", default="nginx")
    args = parse.parse_args()
    trail = os.path.realpath(args.trail)
    files = sorted(glob.glob(trail + "/**/*.gz", recursive=True))
    folder = tempfile.mkdtemp()
    queue_port, s3_port = free_port(), free_port()
    os.makedirs(folder + "/root")
    os.symlink(trail, f"{folder}/root/{BUCKET}")
    with open(folder + "/nginx.conf", "w") as conf:
        conf.write(NGINX.format(folder=folder, port=s3_port, root=folder + "/root"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    servers = [
        subprocess.Popen([args.ministack], env=dict(os.environ, BIND_HOST="127.0.0.1", GATEWAY_PORT=str(queue_port)), **quiet),
        subprocess.Popen([args.nginx, "-c", folder + "/nginx.conf", "-p", folder], **quiet),
    ]
    try:
        time.sleep(4)
        url = f"http://127.0.0.1:{queue_port}"
        queue = call(url, "sqs", "AmazonSQS.CreateQueue", {"QueueName": "bench"})["QueueUrl"]
        environment = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1",
                           AWS_EC2_METADATA_DISABLED="true", AWS_ENDPOINT_URL_SQS=url,
                           AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{s3_port}")
        took = {"backfill": [], "tail": []}
        for _ in range(args.rounds):
            for way in took:
                out = folder + "/out"
                shutil.rmtree(out, ignore_errors=True)
                command = [args.keytrail, "backfill", trail]
                if way == "tail":
                    for body in announce(files, trail):
                        call(url, "sqs", "AmazonSQS.SendMessage", {"QueueUrl": queue, "MessageBody": body})
                    command = [args.keytrail, "tail", "--queue-url", queue, "--until-empty"]
                started = time.time()
                subprocess.run(command + ["--output", out], env=environment, check=True, **quiet)
                took[way].append(last_batch(out) - started)
        middle = {way: sorted(times)[len(times) // 2] for way, times in took.items()}
        for way, times in took.items():
            print(f"{way:<9} {middle[way]:6.2f} s to the last commit   ({', '.join(f'{t:.2f}' for t in times)})")
        print(f"throughput of tail : backfill   {middle['backfill'] / middle['tail']:.2f}")
        print("(with --until-empty the last commit comes a fifth of a second after the last file)")
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
            server.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())

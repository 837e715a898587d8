#!/bin/sh
# certificates.sh DIR: an authority and certificates of its making for the tests, as DIR/NAME.pem and DIR/NAME.key.
#   ca        the authority itself              good      for localhost, 127.0.0.1, ::1
#   self      self-signed, same hosts           other     for other.example only
#   expired   was valid in 2020                 future    valid from 2090
#   weak      RSA of 1024 bits                  client    for clients
#   chain     good, signed by an intermediate, without it (chain-full.pem has it)
#   cn        localhost only as common name     locked.key  the client's key under a passphrase
set -eu
mkdir -p "$1"
cd "$1"
exec 2>openssl.log
here="DNS:localhost,IP:127.0.0.1,IP:::1"
key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

cat >ca.conf <<'CONF'
[ca]
default_ca = here
[here]
new_certs_dir = .
database = index.txt
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
CONF
: >index.txt

# sign NAME AUTHORITY FROM TO [openssl ca options]
sign() {
  name=$1 authority=$2 from=$3 to=$4
  shift 4
  openssl ca -batch -notext -config ca.conf -cert "$authority.pem" -keyfile "$authority.key" -in "$name.csr" -out "$name.pem" \
    -startdate "$from" -enddate "$to" "$@"
}
# issue NAME SAN AUTHORITY FROM TO: a key, a request, a certificate
issue() {
  [ -f "$1.key" ] || key "$1"
  openssl req -new -key "$1.key" -subj "/CN=localhost" ${2:+-addext "subjectAltName=$2"} -out "$1.csr"
  sign "$1" "$3" "$4" "$5"
}
now=20200101000000Z later=20491231000000Z

key ca
openssl req -x509 -key ca.key -subj "/CN=tokometer test authority" -days 3650 -out ca.pem
key middle
openssl req -new -key middle.key -subj "/CN=tokometer test intermediate" -out middle.csr
sign middle ca $now $later -extensions authority

issue good "$here" ca $now $later
issue other "DNS:other.example" ca $now $later
issue expired "$here" ca 20200101000000Z 20200201000000Z
issue future "$here" ca 20900101000000Z 20910101000000Z
issue chain "$here" middle $now $later
issue client "" ca $now $later
issue cn "" ca $now $later
openssl genrsa -out weak.key 1024
issue weak "$here" ca $now $later
cat chain.pem middle.pem >chain-full.pem
key self
openssl req -x509 -key self.key -subj "/CN=localhost" -addext "subjectAltName=$here" -days 3650 -out self.pem
openssl ec -aes128 -passout pass:secret -in client.key -out locked.key

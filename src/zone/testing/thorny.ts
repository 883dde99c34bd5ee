/** A zone with everything that is hard to answer right, as a master file. */

export const THORNY = `$ORIGIN thorny.example.
$TTL 3600
@           SOA ns1 hostmaster 2024010101 7200 3600 1209600 300
@           NS  ns1
@           NS  ns2.elsewhere.test.
@           MX  10 mail
@           MX  20 mail.elsewhere.test.
@           TXT "apex" "in two pieces"
ns1         A   192.0.2.1
ns1         AAAA 2001:db8::1
mail        A   192.0.2.2
www         A   192.0.2.3
www         A   192.0.2.4
www         TXT "www"
MiXeD       A   192.0.2.5
; names that exist only for what is below them
deep.under.empty A 192.0.2.6
; wildcards (RFC 4592 section 2.2.1)
*.wild      TXT "wildcard"
*.wild      MX  10 host1.wild
sub.*.wild  TXT "this is not a wildcard"
host1.wild  A   192.0.2.7
_ssh._tcp.host1.wild SRV 0 0 22 host1.wild
_ssh._tcp.host2.wild SRV 0 0 22 host1.wild
subdel.wild NS  ns.subdel.wild
ns.subdel.wild A 192.0.2.8
*.cwild     CNAME www
*.cout      CNAME out.elsewhere.test.
*.loopwild  CNAME x.loopwild
a.b.*.odd   A   192.0.2.9
*.deepwild.below A 192.0.2.10
; delegations
child       NS  ns.child
child       NS  ns.elsewhere.test.
ns.child    A   192.0.2.11
ns.child    AAAA 2001:db8::11
signedchild NS  ns.signedchild
signedchild DS  60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
ns.signedchild A 192.0.2.12
noglue      NS  ns.elsewhere.test.
sibling     NS  ns.child
; below a delegation and not glue
occluded.child A 192.0.2.13
deep.ent.child TXT "nobody sees this"
; CNAMEs
alias       CNAME www
chain1      CNAME chain2
chain2      CNAME chain3
chain3      CNAME www
loop1       CNAME loop2
loop2       CNAME loop1
self        CNAME self
dangling    CNAME nowhere
toent       CNAME under.empty
towild      CNAME any.wild
tochild     CNAME host.child
tochildapex CNAME child
outside     CNAME out.elsewhere.test.
upalias     CNAME WWW
todname     CNAME x.moved
; DNAMEs
moved       DNAME target
moved       TXT "beside a DNAME"
target      A   192.0.2.14
x.target    A   192.0.2.15
*.target    TXT "wild target"
away        DNAME elsewhere.test.
toolong     DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.thorny.example.
dloop       DNAME dloop2
dloop2      DNAME dloop
; records of many kinds
srv         SRV 1 2 443 www
srv         SRV 1 2 443 out.elsewhere.test.
caa         CAA 0 issue "ca.example.net"
unknown     TYPE65280 \\# 4 0A000001
hinfo       HINFO "a" "b"
naptr       NAPTR 100 10 "u" "sip+E2U" "!^.*$!sip:info@example.com!" .
ttl         60 A 192.0.2.16
ttl         60 A 192.0.2.17
ptr         PTR www
xn--bcher-kva A 192.0.2.18
`

/** Names that are asked for beside those that the zone has. */
export const ASKED: readonly string[] = [
  '',
  'www',
  'WWW',
  'mixed',
  'mIxEd',
  'nowhere',
  'below.www',
  'a.b.c.d.nowhere',
  'empty',
  'under.empty',
  'deep.under.empty',
  'x.under.empty',
  'deeper.deep.under.empty',
  'wild',
  '*.wild',
  'x.wild',
  'x.y.wild',
  'host1.wild',
  'x.host1.wild',
  'host2.wild',
  'host3.wild',
  '_tcp.host1.wild',
  '_telnet._tcp.host1.wild',
  '_ssh._tcp.host1.wild',
  'sub.*.wild',
  'x.*.wild',
  'ghost.*.wild',
  'subdel.wild',
  'host.subdel.wild',
  'x.cwild',
  'y.x.cwild',
  'cwild',
  'x.cout',
  'x.odd',
  'odd',
  '*.odd',
  'b.*.odd',
  'x.deepwild.below',
  'deepwild.below',
  'below',
  'child',
  'ns.child',
  'x.child',
  'occluded.child',
  'ent.child',
  'deep.ent.child',
  'signedchild',
  'x.signedchild',
  'ns.signedchild',
  'noglue',
  'sibling',
  'x.sibling',
  'alias',
  'chain1',
  'chain3',
  'dangling',
  'toent',
  'towild',
  'tochild',
  'tochildapex',
  'outside',
  'upalias',
  'todname',
  'moved',
  'x.moved',
  'y.x.moved',
  'nothing.moved',
  'away',
  'x.away',
  'toolong',
  `${'d'.repeat(60)}.toolong`,
  'srv',
  'caa',
  'unknown',
  'hinfo',
  'naptr',
  'ttl',
  'ptr',
  'mail',
  'ns1',
  'ns2',
  '_x.ns1',
  '\\000.www',
  'a\\.b',
]

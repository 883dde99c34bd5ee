/** Server blocks with the same zone, told apart by who asks: asked with `dig` from several addresses. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { composeDns } from '../../src/compose-dns.ts'
import { mmdbWith } from '../harness/mmdb.ts'

const run = promisify(execFile)

const COREFILE = `
.:0 {
  bind 127.0.0.1
  view inside {
    expr incidr(client_ip(), '127.0.0.2/32') && type() in ['A', 'TXT']
  }
  hosts {
    192.0.2.2 test
  }
}
.:0 {
  bind 127.0.0.1
  metadata
  geoip city.mmdb {
    edns-subnet
  }
  view brazil {
    expr metadata('geoip/country/code') == 'BR'
  }
  hosts {
    192.0.2.55 test
  }
}
.:0 {
  bind 127.0.0.1
  acl {
    drop net 127.0.0.9
    block type TXT
    filter net 127.0.0.4
  }
  hosts {
    192.0.2.3 test
  }
}
`

test('each client is answered by the first block whose view holds, and acl keeps some out', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'views-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const brazil = [['200.0.0.0/8', { country: { iso_code: 'BR' } }]] as const
  writeFileSync(join(folder, 'city.mmdb'), mmdbWith(brazil, 'GeoLite2-Country'))
  const { plane, figures } = composeDns({
    read: async () => ({ text: COREFILE, file: 'Corefile', folder }),
    env: {},
    log: () => undefined,
  })
  await plane.start()
  t.after(() => plane.stop())
  const port = /\d+$/.exec(plane.addresses[0]!)![0]
  const dig = async (from: string, ...args: readonly string[]): Promise<string> => {
    const all = ['@127.0.0.1', '-p', port, '-b', from, '+tries=3', '+time=20', 'test', ...args]
    return (await run('dig', all)).stdout
  }
  assert.match(await dig('127.0.0.2', 'A'), /\sA\s+192\.0\.2\.2\n/)
  assert.match(await dig('127.0.0.3', 'A'), /\sA\s+192\.0\.2\.3\n/)
  assert.match(await dig('127.0.0.3', 'A', '+subnet=200.1.2.0/24'), /\sA\s+192\.0\.2\.55\n/)
  assert.match(await dig('127.0.0.3', 'A', '+subnet=81.1.2.0/24'), /\sA\s+192\.0\.2\.3\n/)
  assert.match(await dig('127.0.0.3', 'TXT'), /status: REFUSED[^]*EDE: 15 \(Blocked\): \(acl\)\n/)
  // The first block has TXT, too: it knows of an address alone.
  assert.match(await dig('127.0.0.2', 'TXT'), /status: NOERROR/)
  assert.match(await dig('127.0.0.4', 'A'), /status: NOERROR.*\n.*ANSWER: 0[^]*EDE: 17 \(Filtered\)/)
  // Nothing comes back: dig gives up after its time, which ends with code 9.
  await assert.rejects(dig('127.0.0.9', 'A', '+tries=1', '+time=1'), { code: 9 })
  assert.match(figures.text(), /coredns_acl_dropped_requests_total\{.*zone="\.".*\} 1/)
  assert.match(figures.text(), /coredns_acl_blocked_requests_total\{.*\} 1/)
})

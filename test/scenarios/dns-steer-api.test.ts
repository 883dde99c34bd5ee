/** The admin API of a node tells how a client is steered by its workers, and why. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startOrla } from '../harness/command.ts'
import { freePort } from '../harness/ports.ts'

const corefile = (port: number) => `example.org:${port} {
  bind 127.0.0.1
  edge cdn.example.org {
    node gru1 192.0.2.1
    node lhr1 192.0.2.2 {
      geofence GB
    }
    prefix 203.0.113.0/24 gru1
  }
}
`

test('all workers are asked, and the first one explains', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-steer-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'Corefile'), corefile(await freePort()))
  const config = {
    edge: { listen: '127.0.0.1:0', workers: 2 },
    control: { listen: '127.0.0.1:0', token: 'secret' },
    dns: { corefile: 'Corefile' },
  }
  writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(config))
  const { control } = await startOrla(t, ['start'], { cwd: folder })
  const steer = async (name: string, client: string) => {
    const query = new URLSearchParams({ name, client })
    const headers = { authorization: 'Bearer secret' }
    const answer = await fetch(`${control}/v1/dns/steer?${query.toString()}`, { headers })
    return { status: answer.status, body: (await answer.json()) as unknown }
  }
  assert.deepEqual(await steer('cdn.example.org', '203.0.113.0/24'), {
    status: 200,
    body: [
      {
        client: '203.0.113.0/24',
        place: { override: 'gru1' },
        steps: [
          { filter: 'up', kept: ['gru1', 'lhr1'], removed: [] },
          { filter: 'geofence', kept: ['gru1'], removed: [{ node: 'lhr1', why: 'serves GB alone' }] },
          ...['priority', 'nearest', 'load', 'weight', 'first 1'].map((filter) => ({
            filter,
            kept: ['gru1'],
            removed: [],
          })),
        ],
        chosen: ['gru1'],
        outcome: 'chosen',
        scope: 24,
        workers: { agreeing: 2, asked: 2 },
      },
    ],
  })
  assert.deepEqual(await steer('www.example.org', '203.0.113.7'), { status: 200, body: [] })
  assert.equal((await steer('cdn.example.org', 'somewhere')).status, 400)
})

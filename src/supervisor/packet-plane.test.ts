/** The packet plane of a node whose program another one has taken over in the kernel, and did not come to serve. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NO_NETWORK, startWire } from '../../test/harness/network.ts'
import { checkConfig } from '../config/check.ts'
import { loadLibbpf } from '../packet/libbpf.ts'
import { PacketPlane } from './packet-plane.ts'

const loaded = loadLibbpf()
const skip = loaded.kind === 'missing' ? loaded.reason : (NO_NETWORK ?? false)
const HEIR = fileURLToPath(new URL('testing/plane-heir.ts', import.meta.url))

test(
  'a program that is killed between the kernel and its first request leaves the one before in force',
  { skip },
  async (t) => {
    assert.equal(loaded.kind, 'loaded')
    const { libbpf } = loaded
    const { name } = await startWire(t)
    const attached = () => libbpf.attached(libbpf.interfaceIndex(name)!).map(({ programId }) => programId)
    const checked = checkConfig({ packet: { interface: name } })
    assert.equal(checked.kind, 'config')
    const lines: string[] = []
    const log = {
      info: (line: string) => void lines.push(line),
      warn: (line: string) => void lines.push(line),
    }
    const plane = new PacketPlane({ config: checked.config.packet, log })
    t.after(() => plane.close())
    plane.start({ enforceBy: (sink) => sink.replace({ bans: ['198.51.100.2/32'], never: [] }) })
    const before = attached()
    assert.equal(before.length, 1)

    const [{ fd }] = plane.links() as [ReturnType<PacketPlane['links']>[number]]
    const heir = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', HEIR, name], {
      stdio: ['ignore', 'pipe', 'inherit', fd],
    })
    const [line] = (await once(createInterface(heir.stdout!), 'line')) as [string]
    assert.equal(line, `packet plane: ${name} was taken over without a gap (native)`)
    const between = attached()
    assert.equal(between.length, 1)
    assert.notDeepEqual(between, before)
    heir.kill('SIGKILL')
    await once(heir, 'exit')

    plane.resume()
    assert.deepEqual(attached(), before)
    assert.deepEqual(
      plane.summary(0).interfaces.map(({ state }) => state),
      ['attached'],
    )
    assert.equal(plane.summary(0).prefixes, 1)
    assert.deepEqual(lines, [`packet plane: ${name} is attached (native)`])
  },
)

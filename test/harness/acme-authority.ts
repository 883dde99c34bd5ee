/** pebble, the ACME authority of Let's Encrypt for tests, which asks a node as it would ask one of the world. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connect, type PeerCertificate } from 'node:tls'
import { certificateMaker, type CertificateMaker } from './certificates.ts'
import type { TestNode } from './node.ts'
import { freePort } from './ports.ts'

export interface AuthorityOptions {
  /** Of pebble's configuration. */
  readonly more?: object
  /** The server by which it looks names up, else the system's. */
  readonly dns?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Authority {
  readonly port: number
  readonly makers: CertificateMaker
  /** The file with the authority of its own certificate. */
  readonly ca: string
  readonly directory: string
  /** It asks the ports of this node alone. */
  start(t: TestContext, node: TestNode, options?: AuthorityOptions): Promise<ChildProcess>
}

export async function startAuthority(t: TestContext): Promise<Authority> {
  const makers = certificateMaker(t)
  const own = makers.make('authority', ['localhost', '127.0.0.1'])
  const [port, management] = [await freePort(), await freePort()]
  return {
    port,
    makers,
    ca: own.cert,
    directory: `https://127.0.0.1:${port}/dir`,
    async start(t, node, { more = {}, dns, env = { PEBBLE_VA_NOSLEEP: '1' } } = {}) {
      const file = join(makers.folder, 'pebble.json')
      const config = {
        pebble: {
          listenAddress: `127.0.0.1:${port}`,
          managementListenAddress: `127.0.0.1:${management}`,
          certificate: own.cert,
          privateKey: own.key,
          httpPort: Number(new URL(node.urls[0]!).port),
          tlsPort: Number(new URL(node.urls[1]!).port),
          ...more,
        },
      }
      writeFileSync(file, JSON.stringify(config))
      const child = spawn('pebble', ['-config', file, ...(dns === undefined ? [] : ['-dnsserver', dns])], {
        env: { ...process.env, PEBBLE_WFE_NONCEREJECT: '20', ...env },
        stdio: 'ignore',
      })
      t.after(() => child.kill('SIGKILL'))
      await new Promise((resolve, reject) => child.on('spawn', resolve).on('error', reject))
      return child
    },
  }
}

/** What the node shows at its second address, to whoever asks for the name. */
export function certificateOf(
  node: Pick<TestNode, 'urls'>,
  servername = 'localhost',
): Promise<PeerCertificate> {
  const port = Number(new URL(node.urls[1]!).port)
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
    socket.on('secureConnect', () => {
      resolve(socket.getPeerCertificate())
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

export const serialOf = async (node: Pick<TestNode, 'urls'>, servername?: string): Promise<string> =>
  (await certificateOf(node, servername)).serialNumber

export const issuerOf = async (node: Pick<TestNode, 'urls'>): Promise<string> =>
  String((await certificateOf(node)).issuer.CN)

/** How many certificates it says that it got. */
export const ordersOf = (node: Pick<TestNode, 'stderr'>): number =>
  [...node.stderr().matchAll(/has a certificate until/g)].length

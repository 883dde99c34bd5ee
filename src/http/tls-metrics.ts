/** Counts of TLS handshakes, as plain numbers. */
import type { MetricSample } from '../contract/messages.ts'

export class TlsMetrics {
  /** By version, and whether a session was resumed. */
  private readonly done = new Map<string, number>()
  private readonly failed = new Map<string, number>()
  /** Under way. */
  handshaking = 0

  countDone(version: string, isResumed: boolean): void {
    const key = `${version} ${isResumed}`
    this.done.set(key, (this.done.get(key) ?? 0) + 1)
  }

  countFailed(reason: string): void {
    this.failed.set(reason, (this.failed.get(reason) ?? 0) + 1)
  }

  samples(): MetricSample[] {
    const samples: MetricSample[] = [{ name: 'orla_tls_handshaking', labels: {}, value: this.handshaking }]
    for (const [key, value] of this.done) {
      const [version = '', resumed = ''] = key.split(' ')
      samples.push({ name: 'orla_tls_handshakes_total', labels: { version, resumed }, value })
    }
    for (const [reason, value] of this.failed)
      samples.push({ name: 'orla_tls_handshake_failures_total', labels: { reason }, value })
    return samples
  }
}

/** OpenSSL has a word for everything that goes wrong: `ERR_SSL_NO_SHARED_CIPHER` is `no-shared-cipher`. */
export function handshakeFailure(code: string | undefined, isRefused: boolean): string {
  if (isRefused) return 'client-certificate'
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === undefined) return 'aborted'
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout'
  return code
    .replace(/^ERR_(?:SSL|TLS)_/, '')
    .toLowerCase()
    .replaceAll('_', '-')
}

/**
 * Tells in headers of the response how long it took, as nginx prints the variables of the same names: seconds with
 * milliseconds, `-` where there was no origin. The round-trip time is in microseconds.
 */
import type { Unit } from 'orla'

export default {
  headerFilter(request, response, edge) {
    const { upstreamResponseMs, upstreamConnectMs, requestMs, tcpRttUs } = edge.timing
    const { headers } = response
    headers.set('X-Metrics-upstream_response_time', seconds(upstreamResponseMs))
    headers.set('X-Metrics-upstream_connect_time', seconds(upstreamConnectMs))
    headers.set('X-Metrics-request_time', seconds(requestMs))
    headers.set('X-Metrics-tcpinfo_rtt', tcpRttUs === undefined ? '-' : `${Math.round(tcpRttUs)}`)
    headers.set('X-Metrics-time_iso8601', `${new Date().toISOString().slice(0, 19)}+00:00`)
  },
} satisfies Unit

const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : (ms / 1000).toFixed(3))

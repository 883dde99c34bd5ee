/**
 * Appends a tag to HLS playlists, once: `#COPYRIGHT: mysite.com` at the end of what ends in `.m3u8`.
 *
 * A playlist that holds the tag already, because another edge in front added it, stays as it is.
 *
 * Environment: `TAG`, the line (`#COPYRIGHT: mysite.com` where it is not set). It begins with `#`: players skip what they do not know
 * (RFC 8216 §4.1).
 */
import type { Unit } from 'orla'

/** Playlists are some kilobytes; what is longer passes as it is. */
const BYTES_MAX = 1024 * 1024

export default {
  paths: ['/hls/*'],
  methods: ['GET'],
  buffer: BYTES_MAX,
  chunks: 'text',
  bodyFilter(playlist, last, request, response, edge) {
    const isPlaylist =
      request.path.endsWith('.m3u8') || /mpegurl/i.test(response.headers.get('content-type') ?? '')
    if (!isPlaylist || response.status !== 200 || !playlist.startsWith('#EXTM3U')) return
    const tag = edge.env.TAG ?? '#COPYRIGHT: mysite.com'
    if (!tag.startsWith('#') || /[\r\n]/.test(tag))
      throw new Error(`TAG is "${tag}"; a tag is one line that begins with #`)
    if (playlist.split(/\r?\n/).includes(tag)) return
    return `${playlist}${playlist.endsWith('\n') ? '' : '\n'}${tag}\n`
  },
} satisfies Unit

/** What a client has set (RFC 9113 §6.5.2), as far as it concerns us. */
import { DEFAULT_WINDOW, ERROR, FRAME_BYTES_MAX, SETTING, WINDOW_MAX } from '../../wire/http2/frames.ts'
import { ConnectionError } from './connection-error.ts'

export class PeerSettings {
  /** What it takes of an answer's body before it is asked. */
  streamWindow = DEFAULT_WINDOW
  /** RFC 7541 §4.2: it made its table smaller, and wants to hear of it in our next block. Ours is empty all the time. */
  isTableUpdateOwed = false
  private tableBytes = 4096

  /** Takes one setting. Returns by how much the windows of open streams change. */
  set(setting: number, value: number): number {
    switch (setting) {
      case SETTING.headerTableSize:
        if (value < this.tableBytes) this.isTableUpdateOwed = true
        this.tableBytes = value
        return 0
      case SETTING.enablePush:
        if (value > 1) throw new ConnectionError(ERROR.protocol, 'bad ENABLE_PUSH')
        return 0
      case SETTING.maxFrameSize:
        if (value < FRAME_BYTES_MAX || value > 0xff_ffff)
          throw new ConnectionError(ERROR.protocol, 'bad MAX_FRAME_SIZE')
        return 0
      case SETTING.initialWindowSize: {
        if (value > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, 'bad INITIAL_WINDOW_SIZE')
        const more = value - this.streamWindow
        this.streamWindow = value
        return more
      }
      default:
        return 0
    }
  }
}

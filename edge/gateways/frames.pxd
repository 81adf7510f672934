# WebSocket frames, RFC 6455 section 5, as bytes in and bytes out.
#
# MQTT is a byte stream to us: data frames are unmasked in place and joined, so packets may share
# frames or span them [MQTT-6.0.0-2].  Only binary frames carry MQTT [MQTT-6.0.0-1].

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    CONTROL_BYTES_MAX = 125
    FRAME_HEADER_BYTES_MAX = 10     # of what a server sends: unmasked

ctypedef struct FrameReader:
    uint64_t payload_left
    uint8_t header[14]
    uint8_t header_len              # collected so far; 0 between frames
    uint8_t in_payload
    uint8_t opcode                  # of the current frame
    uint8_t fin
    uint8_t fragmented              # a data message is open
    uint8_t mask[4]
    uint8_t mask_index
    uint8_t control_len
    uint8_t control[125]
    uint16_t close_code             # what to close with: an error, or the peer's close
    uint8_t closed                  # nothing more is read
    uint8_t pong_wanted             # control[] holds a ping's payload to send back

# Unmasks data frames of `data` into its own beginning; returns how many bytes of payload that are, and
# how many input bytes were used in `used`: it stops behind a ping (answer it, then call again) and at the end.
cdef uint32_t frames_read(FrameReader* reader, uint8_t* data, uint32_t length, uint32_t* used) noexcept nogil
cdef uint32_t frame_header(uint8_t* out, uint8_t opcode, uint64_t payload_len) noexcept nogil

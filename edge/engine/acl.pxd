# Access rules of a session, and the one function that compares a Topic Filter with a Topic Name.
#
# The control plane compiles users, groups and patterns into a profile and hands it over as a blob,
# little-endian, without padding:
#
#      0  u32  id
#      4  u8   default_allow   0 or 1: the verdict when no rule matches
#      5  u16  rule_count
#      7       the rules, first match first, each of them
#      0  u8   allow           0 or 1
#      1  u8   access          bits ACL_READ, ACL_WRITE, ACL_RETAIN that the rule speaks of; not 0
#      2  u8   qos_max         0 to 2; matters to allow rules that speak of ACL_WRITE
#      3  u16  filter_len      1 to 65,535
#      5       the Topic Filter, %u and %c already filled in
#
# A blob with trailing bytes, an unknown bit or a misplaced wildcard is refused as a whole: a deny
# rule that silently never matches would be a hole.  The blob must not come from a client, but parts
# of its filters may: whoever fills in %u and %c must refuse names with `/`, `+` or `#`.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from edge.engine.memory cimport mem_free
from edge.engine.types cimport AclProfile


cdef AclProfile* acl_profile_parse(const uint8_t* blob, uint32_t blob_len) noexcept nogil
cdef bint acl_allows(const AclProfile* profile, uint8_t access, uint8_t qos,
                     const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef bint filter_matches(const uint8_t* topic_filter, uint16_t filter_len,
                         const uint8_t* topic, uint16_t topic_len) noexcept nogil


cdef inline void acl_profile_ref(AclProfile* profile) noexcept nogil:
    """Count one more session; NULL (everything is allowed) is allowed."""
    if profile != NULL:
        profile.refs += 1


cdef inline void acl_profile_unref(AclProfile* profile) noexcept nogil:
    """Give one reference back, the last one frees; NULL is allowed."""
    if profile != NULL:
        profile.refs -= 1
        if profile.refs == 0:
            mem_free(profile)

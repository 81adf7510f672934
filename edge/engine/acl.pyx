# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Parse and evaluate access profiles; the format is specified in acl.pxd."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from edge.engine.levels cimport level_end
from edge.engine.memory cimport mem_alloc
from edge.engine.types cimport ACL_READ, ACL_RETAIN, ACL_WRITE, AclProfile, AclRule

cdef enum:
    PROFILE_HEADER_BYTES = 7
    RULE_HEADER_BYTES = 5


# ---------------------------------------------------------------- filters

cdef bint filter_matches(const uint8_t* topic_filter, uint16_t filter_len,
                         const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Return whether a Topic Filter, without `$share/{name}/`, matches a Topic Name.

    One pass: `+` takes exactly one level and `#` is last, so there is nothing to backtrack to.
    """
    cdef const uint8_t* filter_at = topic_filter
    cdef const uint8_t* filter_end = topic_filter + filter_len
    cdef const uint8_t* topic_at = topic
    cdef const uint8_t* topic_end = topic + topic_len
    cdef const uint8_t* filter_slash
    cdef const uint8_t* topic_slash
    if (topic_len and topic[0] == c'$' and filter_len
            and (topic_filter[0] == c'+' or topic_filter[0] == c'#')):
        return False                                        # [MQTT-4.7.2-1]
    while True:
        filter_slash = level_end(filter_at, filter_end)
        topic_slash = level_end(topic_at, topic_end)
        if filter_slash - filter_at == 1 and filter_at[0] == c'#':
            return True
        if not (filter_slash - filter_at == 1 and filter_at[0] == c'+'):
            if filter_slash - filter_at != topic_slash - topic_at:
                return False
            if memcmp(filter_at, topic_at, filter_slash - filter_at) != 0:
                return False
        if topic_slash == topic_end:
            # `a/#` matches `a` too: the multi-level wildcard includes the parent level.
            return filter_slash == filter_end or (
                filter_end - filter_slash == 2 and filter_slash[1] == c'#')
        if filter_slash == filter_end:
            return False
        filter_at = filter_slash + 1
        topic_at = topic_slash + 1


cdef bint filter_is_valid(const uint8_t* topic_filter, uint16_t filter_len) noexcept nogil:
    """Return whether wildcards stand alone in their level and `#` is last.

    [MQTT-4.7.1-1], [MQTT-4.7.1-2], and no empty filter [MQTT-4.7.3-1].
    """
    cdef uint32_t index
    if filter_len == 0:
        return False
    for index in range(filter_len):
        if topic_filter[index] != c'+' and topic_filter[index] != c'#':
            continue
        if index > 0 and topic_filter[index - 1] != c'/':
            return False
        if index + 1 < filter_len and (topic_filter[index] == c'#'
                                       or topic_filter[index + 1] != c'/'):
            return False
    return True


# ---------------------------------------------------------------- profiles

cdef inline uint16_t read_u16(const uint8_t* p) noexcept nogil:
    return <uint16_t>(p[0] | (p[1] << 8))


cdef inline uint32_t read_u32(const uint8_t* p) noexcept nogil:
    return read_u16(p) | (<uint32_t>read_u16(p + 2) << 16)


cdef bint blob_is_valid(const uint8_t* blob, uint32_t blob_len) noexcept nogil:
    """Check every field once, so that acl_profile_parse() may read without looking."""
    cdef uint32_t offset = PROFILE_HEADER_BYTES
    cdef uint32_t _rule_index
    cdef const uint8_t* rule
    cdef uint16_t filter_len
    if blob_len < PROFILE_HEADER_BYTES or blob[4] > 1:
        return False
    for _rule_index in range(read_u16(blob + 5)):
        if blob_len - offset < RULE_HEADER_BYTES:
            return False
        rule = blob + offset
        filter_len = read_u16(rule + 3)
        offset += RULE_HEADER_BYTES
        if blob_len - offset < filter_len:
            return False
        if (rule[0] > 1 or rule[1] == 0 or rule[1] & ~(ACL_READ | ACL_WRITE | ACL_RETAIN)
                or rule[2] > 2 or not filter_is_valid(blob + offset, filter_len)):
            return False
        offset += filter_len
    return offset == blob_len


cdef AclProfile* acl_profile_parse(const uint8_t* blob, uint32_t blob_len) noexcept nogil:
    """Return a profile with one reference, or NULL when the blob is malformed.

    Profile, rules and filters share one allocation: the last reference frees them all.
    """
    cdef AclProfile* profile
    cdef AclRule* rule
    cdef const uint8_t* at = blob + PROFILE_HEADER_BYTES
    cdef uint8_t* filters
    cdef uint32_t rule_index
    cdef uint32_t rule_count
    if not blob_is_valid(blob, blob_len):
        return NULL
    rule_count = read_u16(blob + 5)
    profile = <AclProfile*>mem_alloc(sizeof(AclProfile) + rule_count * sizeof(AclRule) + blob_len)
    profile.id = read_u32(blob)
    profile.refs = 1
    profile.rule_count = rule_count
    profile.default_allow = blob[4]
    profile.restricts_read = not profile.default_allow
    profile.restricts_write = not profile.default_allow
    profile.rules = <AclRule*>(profile + 1)
    filters = <uint8_t*>(profile.rules + rule_count)
    for rule_index in range(rule_count):
        rule = &profile.rules[rule_index]
        rule.allow = at[0]
        rule.access = at[1]
        rule.qos_max = at[2]
        rule.filter_len = read_u16(at + 3)
        rule.filter = filters
        at += RULE_HEADER_BYTES
        memcpy(filters, at, rule.filter_len)
        at += rule.filter_len
        filters += rule.filter_len
        # An allow rule that is skipped for its qos_max falls through to the default, so under an
        # allowing default only deny rules can ever refuse.
        if not rule.allow and rule.access & ACL_READ:
            profile.restricts_read = 1
        if not rule.allow and rule.access & (ACL_WRITE | ACL_RETAIN):
            profile.restricts_write = 1
    return profile


cdef bint acl_allows(const AclProfile* profile, uint8_t access, uint8_t qos,
                     const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Return whether every requested bit of `access` is allowed on this Topic Name.

    Each bit is decided by the first rule that speaks of it and matches.  All bits walk the rules
    together: one refused bit refuses the request, and a bit that is allowed leaves it.  For
    ACL_WRITE an allow rule whose qos_max is below `qos` does not match.
    """
    cdef const AclRule* rule
    cdef uint8_t decided
    cdef uint32_t rule_index
    for rule_index in range(profile.rule_count):
        rule = &profile.rules[rule_index]
        decided = rule.access & access
        if rule.allow and rule.qos_max < qos:
            decided &= <uint8_t>~ACL_WRITE
        if decided == 0 or not filter_matches(rule.filter, rule.filter_len, topic, topic_len):
            continue
        if not rule.allow:
            return False
        access &= <uint8_t>~decided
        if access == 0:
            return True
    return access == 0 or profile.default_allow

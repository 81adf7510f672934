# Events as Python objects.

from edge.engine.mailbox cimport EventNode, Mailbox


cdef class Event:
    cdef EventNode* node            # owned
    cdef bytes part(self, int index)

cdef list take_events(Mailbox* box)

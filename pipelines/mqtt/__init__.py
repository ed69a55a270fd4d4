"""The MQTT subscriber: messages in, readings through the one write path, what is wrong into quarantine."""

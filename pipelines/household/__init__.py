"""What is known of the home behind a meter: the property, the appliances in it, the place."""

"""What lets anybody try the product, and test detections of their own, without AWS."""
